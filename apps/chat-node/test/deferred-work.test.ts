import { setImmediate as nextTurn } from 'node:timers/promises';
import { type DeferredRank, DeferredWork } from '../src/deferred-work.ts';

let work: DeferredWork;
let done: string[];
beforeEach(() => {
  work = new DeferredWork();
  done = [];
});

function add(rank: DeferredRank, count: number): void {
  for (let n = 0; n < count; n++) work.add(rank, () => done.push(rank));
}

it('does little in one turn of the event loop, and everything in the end', async () => {
  add('search', 100);
  expect(done).toEqual([]);
  const before: number[] = [];
  while (done.length < 100) {
    await nextTurn();
    before.push(done.length);
  }
  const steps = before.map((count, turn) => count - (before[turn - 1] ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual(16);
});

it('does first what those in a chat wait for, however many came before them', async () => {
  add('search', 100);
  add('join', 100);
  add('return', 1);
  add('skip', 1);
  await nextTurn();
  expect(done.slice(0, 3)).toEqual(['skip', 'return', 'join']);
  while (done.length < 202) await nextTurn();
});

it('does a little of each rank all the same, and never much', async () => {
  for (const rank of ['search', 'join', 'return', 'skip'] as const) add(rank, 32);
  await nextTurn();
  const counts = (['skip', 'return', 'join', 'search'] as const).map(rank => done.filter(each => each === rank).length);
  expect(counts).toEqual([16, 2, 2, 2]);
});

it('tells for how long the next one has waited', async () => {
  expect(work.waitedMs('search')).toBe(0);
  add('search', 1);
  const since = performance.now();
  while (performance.now() - since < 5);
  expect(work.waitedMs('search')).toBeGreaterThanOrEqual(5);
  expect(work.waitedMs('join')).toBe(0);
  await nextTurn();
  expect(work.waitedMs('search')).toBe(0);
});
