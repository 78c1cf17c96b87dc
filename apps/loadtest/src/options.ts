import { parseArgs } from 'node:util';
import { leastCharacters } from './message-text.ts';
import { type ScenarioName, scenarios } from './scenario.ts';

export interface Options {
  scenario: ScenarioName;
  /** Such as `http://localhost:3000`; at least one. */
  targets: string[];
  users: number;
  /** How long the load lasts once all are ready; with `findLimit`, each step of the search. */
  durationMs: number;
  /** Of all users together, in the unit of the scenario; 0 for one that has none. */
  perSecond: number;
  /** How long it takes until all have connected. */
  rampMs: number;
  workers: number;
  messageCharacters: number;
  /** How long users of `chat` stay in a chat on average, if the partner does. */
  talkMs: number;
  /** Whether others use the targets, too: then a partner may be one of theirs. */
  shared: boolean;
  /** The bound of the p99 that the search for the limit looks for, in ms. */
  findLimit: number | undefined;
  /** Files for the report. */
  json: string;
  html: string;
}

/** Options are wrong. The message is for whoever gave them. */
export class OptionsError extends Error {}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const list = { type: 'string', multiple: true } as const;
const known = {
  ...{ target: list, scenario: text, users: text, duration: text, rate: text, ramp: text, workers: text },
  ...{ 'message-size': text, talk: text, 'find-limit': flag, p99: text, json: text, html: text, help: flag },
  shared: flag,
};

const mostRate = 10_000_000;

/**
 * Reads the command line.
 * @param cores how many there are for workers and this process together
 * @returns undefined when help was asked for
 * @throws OptionsError with a sentence that says what is wrong
 */
export function parseOptions(args: readonly string[], cores: number): Options | undefined {
  const values = readArgs(args);
  if (values.help) return undefined;
  const scenario = scenarioNamed(values.scenario ?? 'chat');
  const kind = scenarios[scenario];
  const users = whole('users', values.users, 100, [1, 1_000_000]);
  refuseUnfit(values, scenario, users);
  const workers = whole('workers', values.workers, Math.max(1, Math.min(users, cores - 1)), [1, 256]);
  if (workers > users) throw new OptionsError('--workers must not be more than --users.');
  return {
    ...{ scenario, users, workers },
    targets: (values.target ?? ['http://localhost:3000']).flatMap(addresses => addresses.split(',')).map(targetAt),
    durationMs: time('duration', values.duration, values['find-limit'] ? 10_000 : 60_000, [100, 86_400_000]),
    perSecond: kind.rate ? number('rate', values.rate, kind.rate.default(users), [0.01, mostRate]) : 0,
    rampMs: time('ramp', values.ramp, kind.rampMs(users), [0, 86_400_000]),
    messageCharacters: whole('message-size', values['message-size'], 100, [leastCharacters, 5000]),
    talkMs: time('talk', values.talk, 20_000, [100, 86_400_000]),
    findLimit: values['find-limit'] ? time('p99', values.p99, 100, [1, 60_000]) : undefined,
    shared: values.shared === true,
    ...{ json: values.json ?? '.cache/load.json', html: values.html ?? '.cache/load.html' },
  };
}

function readArgs(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: false }).values;
  } catch (error) {
    throw new OptionsError(`${(error as Error).message} --help lists all options.`);
  }
}

/** Refuses what means nothing to the scenario. */
function refuseUnfit(values: ReturnType<typeof readArgs>, scenario: ScenarioName, users: number): void {
  const { rate, ready } = scenarios[scenario];
  if (users % 2 > 0 && ready === 'paired') {
    throw new OptionsError(`--users must be even for ${scenario}: everybody has a partner.`);
  }
  if (values.rate !== undefined && !rate) {
    const instead = scenario === 'idle' ? ' --ramp says how fast users come.' : '';
    throw new OptionsError(`--rate means nothing to ${scenario}.${instead}`);
  }
  if (values.talk !== undefined && scenario !== 'chat') throw new OptionsError('--talk is only for chat.');
  if (values['find-limit'] && !rate) throw new OptionsError(`--find-limit is not for ${scenario}: it has no rate.`);
  if (values.p99 !== undefined && !values['find-limit']) throw new OptionsError('--p99 is only for --find-limit.');
}

function scenarioNamed(name: string): ScenarioName {
  if (Object.hasOwn(scenarios, name)) return name as ScenarioName;
  throw new OptionsError(`There is no scenario "${name}". There are: ${Object.keys(scenarios).join(', ')}.`);
}

function targetAt(address: string): string {
  const url = address.trim();
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isPlain = parsed !== undefined && parsed.pathname === '/' && parsed.search === '' && parsed.username === '';
  if (parsed && isPlain && /^https?:$/.test(parsed.protocol)) return parsed.origin;
  throw new OptionsError(
    `--target must be an address such as http://localhost:3000 or https://chat.example.org, not "${url}".`,
  );
}

function number(
  name: string,
  given: string | undefined,
  otherwise: number,
  [least, most]: readonly [number, number],
): number {
  const value = given === undefined ? otherwise : Number(given || Number.NaN);
  if (value >= least && value <= most) return value;
  throw new OptionsError(`--${name} must be a number from ${least} to ${most}.`);
}

function whole(name: string, given: string | undefined, otherwise: number, range: readonly [number, number]): number {
  const value = number(name, given, otherwise, range);
  if (Number.isInteger(value)) return value;
  throw new OptionsError(`--${name} must be a whole number.`);
}

/** @returns ms */
function time(
  name: string,
  given: string | undefined,
  otherwise: number,
  [least, most]: readonly [number, number],
): number {
  if (given === undefined) return otherwise;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(given) ?? [];
  const ms = Number(amount) * ({ ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit ?? ''] ?? Number.NaN);
  if (ms >= least && ms <= most) return ms;
  throw new OptionsError(`--${name} must be a time such as 500ms, 30s or 2m, from ${least} ms to ${most / 1000} s.`);
}
