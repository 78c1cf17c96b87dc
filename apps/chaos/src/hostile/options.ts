import { parseArgs } from 'node:util';
import { OptionsError } from '../options.ts';

export interface HostileOptions {
  seed: number;
  packets: number;
  minutes: number;
  /** Names of attacks; undefined means all. */
  attacks: string[] | undefined;
  /** Whether each attack gets nodes that have just started. */
  fresh: boolean;
  /** Whether to leave out the attacks one by one, and do all at once the whole time. */
  together: boolean;
}

export const usage = (names: readonly string[]): string => `npm run test:hostile -- [options]

Attacks a real chat node on this machine, while other people chat there, and checks that they notice nothing.

  --seed 7            chooses the order of the attacks and what they send; a random one otherwise
  --packets 100000    no attack sends more than a tenth of them; nor in the attack of all at once
  --minutes 1         how long to attack: half of it one by one, the rest all at once
  --attacks a,b       only these; all otherwise
  --fresh             new nodes for each attack
  --together          nothing one by one, only all at once

The figures go to .cache/hostile.json. The attacks: ${names.join(', ')}
`;

/**
 * Reads the command line.
 * @throws OptionsError with a sentence that says what is wrong
 */
export function parseHostileOptions(args: readonly string[], known: readonly string[]): HostileOptions {
  const [text, flag] = [{ type: 'string' }, { type: 'boolean', default: false }] as const;
  const values = (() => {
    try {
      const numbers = { seed: text, packets: text, minutes: text };
      const options = { ...numbers, attacks: text, fresh: flag, together: flag };
      return parseArgs({ args: [...args], options, allowPositionals: false }).values;
    } catch (error) {
      throw new OptionsError((error as Error).message);
    }
  })();
  const number = (name: 'seed' | 'packets' | 'minutes', otherwise: number, least: number, most: number) => {
    const value = values[name] === undefined ? otherwise : Number(values[name] || Number.NaN);
    if (value >= least && value <= most) return value;
    throw new OptionsError(`--${name} must be a number from ${least} to ${most}.`);
  };
  const attacks = values.attacks?.split(',').map(name => name.trim());
  const unknown = attacks?.find(name => !known.includes(name));
  if (unknown !== undefined) {
    throw new OptionsError(`There is no attack "${unknown}". There are: ${known.join(', ')}.`);
  }
  return {
    seed: Math.floor(number('seed', Math.floor(Math.random() * 2 ** 31), 0, 2 ** 32 - 1)),
    packets: Math.floor(number('packets', 100_000, 100, 1e9)),
    minutes: number('minutes', 1, 0.05, 1000),
    attacks,
    fresh: values.fresh,
    together: values.together,
  };
}
