import { parseOptions } from '../src/options.ts';

const known = { faults: ['node-kill', 'redis-restart'], mutations: ['fencing'] };
const parse = (...args: string[]) => parseOptions(args, known);

describe('parseOptions', () => {
  it('reads what is given, and has something for the rest', () => {
    const options = parse(
      '--minutes',
      '0.5',
      '--seed',
      '12',
      '--faults',
      'node-kill, redis-restart',
      '--break',
      'fencing',
    );
    expect(options).toMatchObject({ minutes: 0.5, seed: 12, faults: known.faults, broken: 'fencing', people: 40 });
    expect(parse().seed).not.toBe(parse().seed);
  });

  it.each([
    [['--minutes', 'x'], '--minutes must be a number from 0.1 to 10000.'],
    [['--seed', ''], '--seed must be a number from 0 to 4294967295.'],
    [['--people', '1'], '--people must be a number from 2 to 5000.'],
    [['--faults', 'node-kill,flood'], 'There is no fault "flood". There are: node-kill, redis-restart.'],
    [['--break', 'x'], '--break must be one of: fencing.'],
    [['--clients', 'x'], '--clients must be plain, resuming or both.'],
    [['--nothing'], "Unknown option '--nothing'"],
  ])('says what is wrong with %j', (args, sentence) => {
    expect(() => parse(...args)).toThrow(sentence);
  });
});
