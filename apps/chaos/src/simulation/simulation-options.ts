import { parseArgs } from 'node:util';
import { type Known, OptionsError } from '../options.ts';

export interface SimulationOptions {
  /** The first seed; the others follow it. */
  seed: number;
  /** Ends after so many faults, or after so many minutes, whichever comes first. */
  faults: number;
  minutes: number;
  /** Names of faults to choose from; undefined means all. */
  only: string[] | undefined;
  /** The name of what to make wrong on purpose. */
  broken: string | undefined;
  /** A plan in this file is lived through in place of seeds. */
  plan: string | undefined;
  /** Goes on after a violation. */
  goOn: boolean;
}

/**
 * Reads the command line.
 * @throws OptionsError with a sentence that says what is wrong
 */
export function parseSimulationOptions(args: readonly string[], known: Known): SimulationOptions {
  const text = { type: 'string' } as const;
  const values = (() => {
    try {
      const options = {
        ...{ seed: text, faults: text, minutes: text, only: text, break: text, plan: text },
        ...{ 'go-on': { type: 'boolean' } as const },
      };
      return parseArgs({ args: [...args], options, allowPositionals: false }).values;
    } catch (error) {
      throw new OptionsError((error as Error).message);
    }
  })();
  const number = (name: 'seed' | 'faults' | 'minutes', otherwise: number, [least, most]: [number, number]) => {
    const value = values[name] === undefined ? otherwise : Number(values[name] || Number.NaN);
    if (value >= least && value <= most) return value;
    throw new OptionsError(`--${name} must be a number from ${least} to ${most}.`);
  };
  const only = values.only?.split(',').map(name => name.trim());
  const unknown = only?.find(name => !known.faults.includes(name));
  if (unknown !== undefined) {
    throw new OptionsError(`There is no fault "${unknown}". There are: ${known.faults.join(', ')}.`);
  }
  if (values.break !== undefined && !known.mutations.includes(values.break)) {
    throw new OptionsError(`--break must be one of: ${known.mutations.join(', ')}.`);
  }
  const isBounded = values.faults !== undefined || values.minutes !== undefined;
  return {
    seed: Math.floor(number('seed', Math.floor(Math.random() * 2 ** 31), [0, 2 ** 32 - 1])),
    faults: number('faults', Number.POSITIVE_INFINITY, [1, Number.POSITIVE_INFINITY]),
    minutes: number('minutes', isBounded ? Number.POSITIVE_INFINITY : 1, [0.01, Number.POSITIVE_INFINITY]),
    only,
    broken: values.break,
    plan: values.plan,
    goOn: values['go-on'] ?? false,
  };
}
