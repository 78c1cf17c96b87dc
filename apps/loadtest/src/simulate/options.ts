import { parseArgs } from 'node:util';
import { OptionsError } from '../options.ts';

export interface Options {
  users: number[];
  pools: number[];
  chatMs: number;
  pauseMs: number;
  patienceMs: number;
  /** Chats in one visit. */
  chats: number;
  messageEveryMs: number;
  reconnectEveryMs: number;
  /** Searches to look at in each simulation. */
  searches: number;
  seed: number;
  json: boolean;
  help: boolean;
}

export const usage = `npm run simulate [-- options]: what a number of users needs, and how long they wait for a partner.

  --users 1000,1000000     users who are connected at the same time
  --pools 1,8,64           pools that they are spread over
  --chat 180s              mean length of a chat
  --pause 3s               mean time until the one who was left searches again
  --patience 60s           mean time that a visitor waits for a partner before going
  --chats 5                mean number of chats in a visit
  --message-every 6s       a message of each of the two
  --reconnect-every 10m    how often a user loses the connection and resumes
  --searches 100000        searches to look at in each simulation
  --seed 1                 the same seed gives the same figures
  --json                   prints JSON instead of tables`;

/**
 * Reads the command line.
 * @throws OptionsError with a sentence that says what is wrong
 */
export function parseOptions(args: readonly string[]): Options {
  const values = readArguments(args);
  const number = (name: string, text: string, most: number) => {
    const value = Number(text || Number.NaN);
    if (value >= 1 && value <= most) return value;
    throw new OptionsError(`--${name} must be a number from 1 to ${most}, not "${text}".`);
  };
  const numbers = (name: string, text: string, most: number) => text.split(',').map(each => number(name, each, most));
  const duration = (name: string, text: string) => {
    const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
    const ms = Number(amount) * ({ ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit ?? ''] ?? Number.NaN);
    if (ms > 0) return ms;
    throw new OptionsError(`--${name} must be a duration such as 180s, 5m or 500ms, not "${text}".`);
  };
  return {
    users: numbers('users', values.users, 1e9),
    pools: numbers('pools', values.pools, 16_384),
    chatMs: duration('chat', values.chat),
    pauseMs: duration('pause', values.pause),
    patienceMs: duration('patience', values.patience),
    chats: number('chats', values.chats, 1000),
    messageEveryMs: duration('message-every', values['message-every']),
    reconnectEveryMs: duration('reconnect-every', values['reconnect-every']),
    searches: number('searches', values.searches, 1e8),
    seed: number('seed', values.seed, 2 ** 31),
    json: values.json,
    help: values.help,
  };
}

function readArguments(args: readonly string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    users: text('100,1000,10000,100000,1000000,10000000'),
    pools: text('1,8,64'),
    chat: text('180s'),
    pause: text('3s'),
    patience: text('60s'),
    chats: text('5'),
    'message-every': text('6s'),
    'reconnect-every': text('10m'),
    searches: text('100000'),
    seed: text('1'),
    json: flag,
    help: flag,
  };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    throw new OptionsError((error as Error).message);
  }
}
