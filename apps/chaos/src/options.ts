import { parseArgs } from 'node:util';

export interface Options {
  minutes: number;
  seed: number;
  /** Names of faults to choose from; undefined means all. */
  faults: string[] | undefined;
  people: number;
  /** Things that one person does in a second. */
  rate: number;
  clients: 'plain' | 'resuming' | 'both';
  /** The name of what to make wrong on purpose. */
  broken: string | undefined;
  /** A folder for what a failing run leaves; undefined for a new one among the temporary files. */
  out: string | undefined;
  /** The history of an earlier run, to be checked again instead of a run. */
  replay: string | undefined;
}

/** Options are wrong. The message is for whoever gave them. */
export class OptionsError extends Error {}

export interface Known {
  faults: readonly string[];
  mutations: readonly string[];
}

/**
 * Reads the command line.
 * @throws OptionsError with a sentence that says what is wrong
 */
export function parseOptions(args: readonly string[], known: Known): Options {
  const text = { type: 'string' } as const;
  const values = (() => {
    try {
      const options = {
        ...{ minutes: text, seed: text, faults: text, people: text, rate: text },
        ...{ clients: text, break: text, out: text, replay: text },
      };
      return parseArgs({ args: [...args], options, allowPositionals: false }).values;
    } catch (error) {
      throw new OptionsError((error as Error).message);
    }
  })();
  const number = (name: 'minutes' | 'seed' | 'people' | 'rate', otherwise: number, [least, most]: [number, number]) => {
    const value = values[name] === undefined ? otherwise : Number(values[name] || Number.NaN);
    if (value >= least && value <= most) return value;
    throw new OptionsError(`--${name} must be a number from ${least} to ${most}.`);
  };
  const faults = values.faults?.split(',').map(name => name.trim());
  const unknown = faults?.find(name => !known.faults.includes(name));
  if (unknown !== undefined) {
    throw new OptionsError(`There is no fault "${unknown}". There are: ${known.faults.join(', ')}.`);
  }
  if (values.break !== undefined && !known.mutations.includes(values.break)) {
    throw new OptionsError(`--break must be one of: ${known.mutations.join(', ')}.`);
  }
  const clients = values.clients ?? 'both';
  if (clients !== 'plain' && clients !== 'resuming' && clients !== 'both') {
    throw new OptionsError('--clients must be plain, resuming or both.');
  }
  return {
    minutes: number('minutes', 2, [0.1, 10_000]),
    seed: Math.floor(number('seed', Math.floor(Math.random() * 2 ** 31), [0, 2 ** 32 - 1])),
    faults,
    people: Math.floor(number('people', 40, [2, 5000])),
    rate: number('rate', 4, [0.1, 100]),
    clients,
    broken: values.break,
    out: values.out,
    replay: values.replay,
  };
}
