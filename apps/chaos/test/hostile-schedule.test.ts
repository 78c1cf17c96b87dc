import { attacks } from '../src/hostile/attacks.ts';
import { parseHostileOptions } from '../src/hostile/options.ts';
import { schedule } from '../src/hostile/schedule.ts';

const names = Object.keys(attacks);
const scheduled = (...args: string[]) => schedule(parseHostileOptions(args, names), names);

describe('the schedule of the hostile client', () => {
  it('is the same for the same seed, and another one for another', () => {
    expect(scheduled('--seed', '7')).toEqual(scheduled('--seed', '7'));
    expect(scheduled('--seed', '7').map(({ name }) => name)).not.toEqual(
      scheduled('--seed', '8').map(({ name }) => name),
    );
  });

  it('has each attack once, from an address of its own, and all of them from one', () => {
    const turns = scheduled('--seed', '7', '--packets', '1000000', '--minutes', '10');
    const last = turns.pop();
    expect(turns.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(new Set(turns.map(({ orders }) => orders.address)).size).toBe(names.length);
    expect(last?.orders).toEqual({ seed: 7, names, address: '127.0.0.66', packets: 100_000, ms: 300_000 });
    const totalMs = turns.reduce((sum, { orders }) => sum + orders.ms, 0);
    expect(totalMs).toBeCloseTo(300_000, 0);
  });

  it('is only the last part if so asked', () => {
    expect(scheduled('--together', '--minutes', '2').map(({ name, orders }) => [name, orders.ms])).toEqual([
      ['all at once', 120_000],
    ]);
  });
});
