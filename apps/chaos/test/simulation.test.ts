import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { check } from '../src/check.ts';
import { planOf } from '../src/simulation/plan.ts';
import { shrink } from '../src/simulation/shrink.ts';
import { simulate } from '../src/simulation/simulate.ts';

describe('the simulation', () => {
  it('gives the same run for the same seed, event for event', async () => {
    const [one, other] = [await simulate(planOf(7), { log: true }), await simulate(planOf(7), { log: true })];
    expect(one.log?.length).toBeGreaterThan(1000);
    expect(other.log).toEqual(one.log);
    expect(other.hash).toBe(one.hash);
    expect(other.history).toEqual(one.history);
  });

  it('gives another run for another seed', async () => {
    const [one, other] = [await simulate(planOf(7)), await simulate(planOf(8))];
    expect(other.hash).not.toBe(one.hash);
  });

  it('lets people chat, and finds nothing where nothing fails', async () => {
    const { history, messages } = await simulate({ ...planOf(3), faults: [] });
    const { violations, timeline } = check(history);
    expect(violations).toEqual([]);
    expect(timeline.sessions.size).toBeGreaterThan(2);
    expect(messages).toBeGreaterThan(20);
  });
});

describe('shrinking', () => {
  it('leaves what is needed to fail, and nothing else', async () => {
    const plan = planOf(5);
    const [needed] = plan.faults.slice(10);
    const [person] = plan.people.slice(-1);
    const shortest = await shrink(plan, async each => {
      return each.faults.some(fault => fault === needed) && each.people.some(one => one === person);
    });
    expect(shortest.faults).toEqual([needed]);
    expect(shortest.people).toEqual([person]);
  });
});

describe('a simulation with something made wrong', () => {
  const main = join(__dirname, '../dist/simulation/main.js');

  it.each([
    ['fencing', 10, 'wrong partner'],
    ['idempotence', 1, 'ended for nothing'],
    ['order', 11, 'gap'],
    ['place', 27, 'users wait, and nobody pairs them'],
    ['replace', 1, 'not replaced'],
    ['resend', 2, 'lost'],
    ['resume', 8, 'ended for nothing'],
    ['retire', 2, 'old token'],
  ])('finds it: %s', (broken, seed, found) => {
    const args = [main, '--break', broken, '--seed', String(seed), '--faults', '1', '--go-on'];
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout).toContain(found);
    expect(status).toBe(1);
  });

  it.each([10, 1, 11, 27, 2, 8])('finds nothing with seed %d when nothing is wrong', async seed => {
    expect(check((await simulate(planOf(seed))).history).violations).toEqual([]);
  });
});
