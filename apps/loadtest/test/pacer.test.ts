import { now } from '../src/clock.ts';
import { Pacer } from '../src/pacer.ts';

/** Keeps this process from doing anything else. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('a pacer', () => {
  it('keeps its schedule, however long what it does takes', async () => {
    const due: number[] = [];
    const behind: number[] = [];
    const from = now() + 5;
    await new Promise<void>(resolve => {
      const pacer = new Pacer(dueAt => {
        due.push(dueAt);
        behind.push(now() - dueAt);
        if (due.length === 10) block(30);
        if (due.length < 60) return;
        pacer.stop();
        resolve();
      });
      pacer.set(1000, from);
    });
    expect(due).toHaveLength(60);
    due.forEach((dueAt, at) => {
      expect(dueAt).toBeCloseTo(from + at, 3);
    });
    // What was held up is done late, and says so.
    expect(behind[10]).toBeGreaterThan(25);
    expect(Math.min(...behind)).toBeGreaterThanOrEqual(0);
  });

  it('lets other things happen while it is behind', async () => {
    let fired = 0;
    const pacer = new Pacer(() => {
      fired += 1;
      block(2);
    });
    pacer.set(1000);
    await new Promise(resolve => setTimeout(resolve, 30));
    pacer.stop();
    const before = fired;
    await new Promise(resolve => setTimeout(resolve, 10));
    expect(before).toBeGreaterThan(0);
    expect(fired).toBe(before);
  });
});
