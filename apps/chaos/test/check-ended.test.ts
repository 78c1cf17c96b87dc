import type { EndReason } from '@passerby/protocol';
import { WrittenHistory } from './write-history.ts';

const history = () => new WrittenHistory().come('ann', 'bob', 'eve');

describe('the checker', () => {
  describe('a user who resumes', () => {
    const back = (seconds: number) =>
      new WrittenHistory()
        .comeToStay('ann', 'bob')
        .pair('s', 2, 'ann', 'bob')
        .add({ kind: 'down', at: 10_000, user: 'ann' })
        .add({ kind: 'away', at: 10_100, user: 'bob', session: 's' })
        .add({ kind: 'gone', at: seconds * 1000, user: 'ann', how: 'lost' })
        .over('s', 16, 'bob');

    it('is the same user', () => {
      expect(back(12).found()).toEqual(['not resumed']);
      expect(back(15).found()).toEqual([]);
    });

    it('may be somebody else when back, for whom the client looks for a partner again', () => {
      const again = back(15)
        .ask({ user: 'ann', op: 'search', seconds: 9, endedAt: 15_000, outcome: 'unknown', code: 'CONNECTION' })
        .add({ kind: 'user', at: 15_000, user: 'amy', userId: 'id-amy', person: 'ann', client: 'resuming' })
        .add({ kind: 'up', at: 15_000, user: 'amy', node: 'node-1#1' })
        .ask({ user: 'amy', op: 'search', seconds: 15, endedAt: 20_000, reply: { state: 'paired', sessionId: 't' } })
        .come('eve')
        .ask({ user: 'eve', op: 'search', seconds: 17, reply: { state: 'waiting' } });
      for (const user of ['amy', 'eve']) again.add({ kind: 'matched', at: 19_000, user, session: 't' });
      again.row({ id: 't', userA: 'id-amy', userB: 'id-eve', startedAt: 19_000 });
      expect(again.part('t', 30, 'amy', 'eve').found()).toEqual([]);
    });

    it('may be lost with the data of Redis, also shortly after, which is counted', () => {
      const wipe = (at: number) => back(12).fault({ at, healedAt: at + 1000, redis: true, losesData: true });
      expect(wipe(4500).found()).toEqual([]);
      expect([...wipe(4500).verdict().excused.keys()].join()).toContain('Redis lost its data');
      expect(wipe(3500).found()).toEqual(['not resumed']);
      const cut = { at: 4000, healedAt: 6000 };
      expect(
        wipe(3500)
          .fault({ ...cut, cuts: ['node-1#1'] })
          .found(),
      ).toEqual([]);
      expect(
        wipe(3500)
          .fault({ ...cut, cuts: ['node-2#1'] })
          .found(),
      ).toEqual(['not resumed']);
    });

    it('has nothing to come back to without a chat and without waiting, which is counted', () => {
      const idle = new WrittenHistory().comeToStay('ann').add({ kind: 'down', at: 10_000, user: 'ann' });
      const verdict = idle.add({ kind: 'gone', at: 11_000, user: 'ann', how: 'lost' }).verdict();
      expect(verdict.violations).toEqual([]);
      expect([...verdict.excused.values()]).toEqual([1]);
    });

    it('may be lost with a node that was cut off for long, which is counted', () => {
      const cut = back(12)
        .fault({ at: 1000, healedAt: 9000, cuts: ['node-1#1'] })
        .verdict();
      expect(cut.violations).toEqual([]);
      expect([...cut.excused.values()]).toEqual([1]);
      expect(
        back(12)
          .fault({ at: 8000, healedAt: 9000, cuts: ['node-1#1'] })
          .found(),
      ).toEqual(['not resumed']);
    });

    it('is known to be away', () => {
      const absent = new WrittenHistory().comeToStay('ann', 'bob').pair('s', 2, 'ann', 'bob');
      absent
        .add({ kind: 'down', at: 10_000, user: 'ann' })
        .add({ kind: 'up', at: 20_000, user: 'ann', node: 'node-1#1' });
      absent.part('s', 30, 'ann', 'bob');
      expect(absent.found()).toEqual(['not told']);
      absent.add({ kind: 'away', at: 12_000, user: 'bob', session: 's' });
      absent.add({ kind: 'back', at: 20_000, user: 'bob', session: 's' });
      expect(absent.found()).toEqual([]);
    });

    it('is known to be back', () => {
      const briefly = () =>
        new WrittenHistory()
          .comeToStay('ann', 'bob')
          .pair('s', 2, 'ann', 'bob')
          .add({ kind: 'down', at: 10_000, user: 'ann' })
          .add({ kind: 'away', at: 10_000, user: 'bob', session: 's' })
          .add({ kind: 'up', at: 11_000, user: 'ann', node: 'node-1#1', state: 'paired' });
      expect(briefly().part('s', 30, 'ann', 'bob').found()).toEqual(['not told']);
      expect(briefly().part('s', 18, 'ann', 'bob').found()).toEqual([]);
      const known = (at: number) => briefly().add({ kind: 'back', at, user: 'bob', session: 's' });
      expect(known(18_000).part('s', 30, 'ann', 'bob').found()).toEqual([]);
      expect(known(20_000).part('s', 30, 'ann', 'bob').found()).toEqual(['not told']);
      const reloaded = briefly()
        .add({ kind: 'down', at: 12_000, user: 'bob', reload: true })
        .add({ kind: 'up', at: 12_100, user: 'bob', node: 'node-2#1', state: 'paired' });
      expect(reloaded.part('s', 30, 'ann', 'bob').found()).toEqual([]);
    });

    const waited = (backAt: number, state: 'idle' | 'waiting') =>
      new WrittenHistory()
        .comeToStay('ann', 'bob')
        .ask({ user: 'ann', op: 'search', seconds: 2, reply: { state: 'waiting' } })
        .add({ kind: 'down', at: 10_000, user: 'ann' })
        .add({ kind: 'up', at: backAt, user: 'ann', node: 'node-2#1', state });

    it('keeps the place in the queue', () => {
      expect(waited(12_000, 'waiting').found()).toEqual([]);
      expect(waited(12_000, 'idle').found()).toEqual(['place lost']);
      expect(waited(15_000, 'idle').found()).toEqual([]);
      expect(waited(12_000, 'idle').fault({ at: 9000, healedAt: 9500, redis: true, losesData: true }).found()).toEqual(
        [],
      );
      const left = waited(12_000, 'idle');
      left.ask({ user: 'ann', op: 'end', seconds: 9, outcome: 'unknown', code: 'CONNECTION' });
      expect(left.found()).toEqual([]);
    });
  });

  describe('a chat does not end', () => {
    const ended = (reason: EndReason) =>
      new WrittenHistory()
        .comeToStay('ann', 'bob')
        .pair('s', 2, 'ann', 'bob')
        .add({ kind: 'over', at: 30_000, user: 'bob', session: 's', reason })
        .add({ kind: 'over', at: 30_000, user: 'ann', session: 's', reason });
    const nothing = 'ended for nothing';

    it('for nothing', () => {
      expect(ended('timeout').found()).toEqual([nothing, nothing]);
    });

    it('because somebody was away for less than the grace time', () => {
      const away = (seconds: number) =>
        ended('timeout')
          .add({ kind: 'down', at: 29_000 - 1000 * seconds, user: 'ann' })
          .add({ kind: 'away', at: 29_000 - 1000 * seconds, user: 'bob', session: 's' })
          .add({ kind: 'up', at: 29_000, user: 'ann', node: 'node-2#1', state: 'paired' })
          .found();
      expect(away(4)).toEqual([nothing, nothing]);
      expect(away(5)).toEqual([]);
    });

    it('because of an old command that was refused', () => {
      const refused = (seconds: number) =>
        ended('end')
          .ask({ user: 'ann', op: 'end', seconds, session: 's', outcome: 'failed', code: 'UNAVAILABLE' })
          .ask({ user: 'bob', op: 'end', seconds, session: 's', outcome: 'failed', code: 'UNAVAILABLE' });
      expect(refused(26).found()).toEqual([]);
      expect(refused(18).found()).toEqual([nothing, nothing]);
    });

    it('because the partner left who did not', () => {
      expect(ended('skip').fault({ at: 29_000, healedAt: 30_000, redis: true, losesData: true }).found()).toEqual([
        nothing,
        nothing,
      ]);
    });

    it('with a plain client, unless its node was lost for a lease, which is counted', () => {
      const halted = (healedAt: number) =>
        history()
          .pair('s', 2, 'ann', 'bob')
          .fault({ at: 20_000, healedAt, halts: ['node-1#1'] })
          .add({ kind: 'over', at: 25_000, user: 'bob', session: 's', reason: 'timeout' })
          .add({ kind: 'gone', at: 27_000, user: 'ann', how: 'lost' });
      expect(halted(27_000).found()).toEqual([]);
      expect([...halted(27_000).verdict().excused.values()]).toEqual([1]);
      expect(halted(21_000).found()).toEqual([nothing]);
    });

    it('because of a fault, except one that loses data, which is counted', () => {
      expect(ended('timeout').fault({ at: 20_000, healedAt: 29_000, redis: true }).found()).toEqual([nothing, nothing]);
      const wiped = ended('timeout').fault({ at: 20_000, healedAt: 21_000, redis: true, losesData: true });
      expect(wiped.found()).toEqual([]);
      expect([...wiped.verdict().excused.values()]).toEqual([2]);
      expect(ended('timeout').fault({ at: 2500, healedAt: 3000, redis: true, losesData: true }).found()).toEqual([
        nothing,
        nothing,
      ]);
    });

    it('because the node of a client that resumes stood still for less than the grace time', () => {
      const halted = (seconds: number) =>
        ended('timeout')
          .fault({ at: 28_000 - 1000 * seconds, healedAt: 28_000, halts: ['node-1#1'] })
          .found();
      expect(halted(4)).toEqual([nothing, nothing]);
      expect(halted(6)).toEqual([]);
    });

    it('because of what happens to a node that its users have left', () => {
      const moved = ended('timeout')
        .fault({ at: 20_000, healedAt: 30_000, halts: ['node-1#1'] })
        .add({ kind: 'down', at: 20_000, user: 'ann' })
        .add({ kind: 'up', at: 21_000, user: 'ann', node: 'node-3#1', state: 'paired' });
      expect(moved.found()).toEqual([nothing, nothing]);
    });
  });
});
