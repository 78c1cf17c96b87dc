import { setImmediate as nextTurn } from 'node:timers/promises';
import { Slices } from '../src/slices.ts';

let slices: Slices;
let done: string[];
beforeEach(() => {
  slices = new Slices();
  done = [];
});

function add(rank: 'first' | 'later', count: number): void {
  for (let n = 0; n < count; n++) slices.add(rank, () => done.push(rank));
}

it('does little in one turn of the event loop, and everything in the end', async () => {
  add('later', 100);
  expect(done).toEqual([]);
  const before: number[] = [];
  while (done.length < 100) {
    await nextTurn();
    before.push(done.length);
  }
  const steps = before.map((count, turn) => count - (before[turn - 1] ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual(16);
});

it('does first what comes first, and a little of the rest all the same', async () => {
  add('later', 10);
  add('first', 32);
  await nextTurn();
  expect(done.filter(rank => rank === 'first')).toHaveLength(16);
  expect(done.filter(rank => rank === 'later')).toHaveLength(2);
});

it('tells for how long the next one has waited', async () => {
  expect(slices.waitedMs('later')).toBe(0);
  add('later', 1);
  const since = performance.now();
  while (performance.now() - since < 5);
  expect(slices.waitedMs('later')).toBeGreaterThanOrEqual(5);
  expect(slices.waitedMs('first')).toBe(0);
  await nextTurn();
  expect(slices.waitedMs('later')).toBe(0);
});
