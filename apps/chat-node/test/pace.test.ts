import { Pace } from '../src/pace.ts';

/** A node that does as many a second as it can, for a while: asked for more, it is behind. */
class FakeNode {
  now = 0;
  readonly pace = new Pace(10, 0);
  readonly taken = { first: 0, later: 0 };
  readonly waitsMs = { first: [] as number[], later: [] as number[] };

  /** @param asked how many a second ask @param can how many a second are not too many */
  run(ms: number, asked: { first?: number; later?: number }, can: number): void {
    for (const until = this.now + ms; this.now < until; ) {
      let done = 0;
      for (const rank of ['first', 'later'] as const) {
        for (let n = (asked[rank] ?? 0) / 50; n >= 1; n--) {
          const waitMs = this.pace.take(rank, this.now + (20 * n * 50) / (asked[rank] ?? 1));
          if (waitMs > 0) this.waitsMs[rank].push(waitMs);
          else done += 1;
          this.taken[rank] += waitMs > 0 ? 0 : 1;
        }
      }
      this.now += 20;
      this.pace.adapt(done * 50 > can, this.now);
    }
  }

  /** What has been taken from now on, a second. */
  measure(ms: number, asked: { first?: number; later?: number }, can: number): { first: number; later: number } {
    Object.assign(this.taken, { first: 0, later: 0 });
    this.run(ms, asked, can);
    return { first: (this.taken.first * 1000) / ms, later: (this.taken.later * 1000) / ms };
  }
}

let node: FakeNode;
beforeEach(() => {
  node = new FakeNode();
});

it('lets everybody go while the node can', () => {
  node.run(5000, { later: 5000 }, 10_000);
  expect(node.waitsMs.later).toEqual([]);
  expect(node.pace.perSecond).toBe(Number.POSITIVE_INFINITY);
});

it('comes near to what the node can, whatever is asked for', () => {
  for (const can of [200, 1000, 4000]) {
    node = new FakeNode();
    node.run(2000, { later: 5 * can }, can);
    const { later } = node.measure(5000, { later: 5 * can }, can);
    expect(later).toBeGreaterThan(can * 0.6);
    expect(later).toBeLessThan(can * 1.2);
  }
});

it('never falls to nothing, and finds out when the node can do more', () => {
  node.run(5000, { later: 5000 }, 0);
  expect(node.pace.perSecond).toBe(10);
  node.run(3000, { later: 5000 }, 1000);
  expect(node.measure(2000, { later: 5000 }, 1000).later).toBeGreaterThan(500);
});

it('knows no bound any more soon after the last who was refused', () => {
  node.run(2000, { later: 5000 }, 100);
  expect(node.pace.perSecond).toBeLessThan(1000);
  node.run(1100, {}, 100);
  expect(node.pace.perSecond).toBe(Number.POSITIVE_INFINITY);
});

it('lets those go first who come first, and leaves a part to the others', () => {
  node.run(3000, { first: 2500, later: 2500 }, 1000);
  const { first, later } = node.measure(5000, { first: 2500, later: 2500 }, 1000);
  expect(first).toBeGreaterThan(3 * later);
  expect(later).toBeGreaterThan(50);
  // What the first do not want is for the others.
  node.run(1000, { later: 2500 }, 1000);
  expect(node.measure(3000, { later: 2500 }, 1000).later).toBeGreaterThan(600);
});

it('spreads a crowd over the time that it takes, within bounds', () => {
  node.run(500, { later: 5000 }, 1000);
  const waits = node.waitsMs.later;
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(400);
  expect(Math.max(...waits)).toBeLessThanOrEqual(8800);
  // In each second of those that are given, some come back.
  const seconds = new Set(waits.map(ms => Math.floor(ms / 1000)));
  const last = Math.floor(Math.max(...waits) / 1000);
  for (let second = 1; second < last; second++) expect(seconds).toContain(second);
  expect(new Set(waits).size).toBeGreaterThan(waits.length / 4);
});
