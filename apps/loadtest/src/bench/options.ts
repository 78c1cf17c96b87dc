import { parseArgs } from 'node:util';

export interface Options {
  /** Names of scenarios, or beginnings of them; undefined for all. */
  only: string[] | undefined;
  repeat: number;
  /** A file for the figures. */
  json: string;
  /** Few rounds and little work: to see that it runs. */
  quick: boolean;
  help: boolean;
}

/** Options are wrong. The message is for whoever gave them. */
export class OptionsError extends Error {}

/**
 * Reads the command line.
 * @throws OptionsError with a sentence that says what is wrong
 */
export function parseOptions(args: readonly string[], scenarios: readonly string[]): Options {
  const values = (() => {
    try {
      const text = { type: 'string' } as const;
      const flag = { type: 'boolean', default: false } as const;
      const options = { only: text, repeat: text, json: text, quick: flag, help: flag };
      return parseArgs({ args: [...args], options, allowPositionals: false }).values;
    } catch (error) {
      throw new OptionsError((error as Error).message);
    }
  })();
  const { quick, help, json = '.cache/bench.json' } = values;
  const only = values.only?.split(',').map(name => name.trim());
  const unknown = only?.find(name => !scenarios.some(scenario => name !== '' && scenario.startsWith(name)));
  if (unknown !== undefined) {
    throw new OptionsError(`There is no scenario "${unknown}". There are: ${scenarios.join(', ')}.`);
  }
  const repeat = Number(values.repeat ?? (quick ? 1 : 5));
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > 100) {
    throw new OptionsError('--repeat must be a whole number from 1 to 100.');
  }
  return { only, repeat, json, quick, help };
}
