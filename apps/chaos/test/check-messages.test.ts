import { WrittenHistory } from './write-history.ts';

const history = () => new WrittenHistory().come('ann', 'bob', 'eve');

/** Ann and Bob have been in session s, and Ann has ended it. */
const chat = () => history().pair('s', 2, 'ann', 'bob').part('s', 20, 'ann', 'bob');

describe('the checker', () => {
  describe('messages', () => {
    it('are shown to nobody who is not in the session', () => {
      expect(chat().pair('t', 2, 'eve', 'dan').show('eve', 'ann', 's', 1, 3).found()).toContain('wrong partner');
    });

    it('are shown to nobody who has left the session', () => {
      expect(chat().show('ann', 'bob', 's', 1, 21).found()).toEqual(['wrong partner']);
    });

    it('of a plain client that is being moved cannot be told from those of its next chat', () => {
      const moving = history()
        .pair('s', 2, 'ann', 'bob')
        .ask({
          user: 'ann',
          op: 'skip',
          session: 's',
          seconds: 3,
          endedAt: 3010,
          reply: { state: 'paired', sessionId: 't' },
        })
        .over('s', 3, 'bob')
        .send('ann', 's', 1, 3.005)
        .ask({ user: 'eve', op: 'search', seconds: 2.5, reply: { state: 'waiting' } });
      for (const user of ['ann', 'eve']) moving.add({ kind: 'matched', at: 3008, user, session: 't' });
      moving.row({ id: 't', userA: 'id-eve', userB: 'id-ann', startedAt: 3000 }).show('eve', 'ann', 's', 1, 3.009);
      const { violations, excused } = moving.verdict();
      expect(violations).toEqual([]);
      expect([...excused.values()]).toContain(1);
    });

    it('are shown once', () => {
      expect(chat().show('bob', 'ann', 's', 1, 3).show('bob', 'ann', 's', 1, 4).found()).toEqual(['repeated']);
    });

    it('are shown in order', () => {
      expect(chat().show('bob', 'ann', 's', 2, 3).show('bob', 'ann', 's', 1, 4).found()).toEqual(['order']);
    });

    it('that count as delivered were shown', () => {
      const delivered = chat().add({ kind: 'delivered', at: 4000, user: 'ann', session: 's', n: 1 });
      expect(delivered.found()).toEqual(['delivered but lost']);
    });

    it('that count as delivered to a plain client were shown, unless it was just going', () => {
      const half = (goneAt: number) =>
        new WrittenHistory()
          .comeToStay('ann')
          .come('bob')
          .pair('s', 2, 'ann', 'bob')
          .send('ann', 's', 1, 3)
          .add({ kind: 'delivered', at: 4000, user: 'ann', session: 's', n: 1 })
          .add({ kind: 'gone', at: goneAt, user: 'bob', how: 'lost' })
          .over('s', 20, 'ann')
          .found();
      expect(half(7000)).toContain('delivered but lost');
      expect(half(5000)).not.toContain('delivered but lost');
    });

    it('of a client that resumes are shown without a gap, whatever the faults', () => {
      const gap = resuming().fault({ at: 1000, healedAt: 59_000, redis: true });
      for (const n of [1, 2, 3]) gap.send('ann', 's', n, 3);
      for (const n of [1, 3]) {
        gap.show('bob', 'ann', 's', n, 4).add({ kind: 'delivered', at: 4000, user: 'ann', session: 's', n });
      }
      expect(gap.found()).toEqual(['gap']);
    });

    it('of a client that resumes are known to be shown, if both stay', () => {
      const shown = () => resuming().send('ann', 's', 1, 3).show('bob', 'ann', 's', 1, 4);
      expect(shown().found()).toEqual(['no receipt']);
      const seen = (at: number) => shown().add({ kind: 'delivered', at, user: 'ann', session: 's', n: 1 });
      expect(seen(11_000).found()).toEqual([]);
      expect(seen(13_000).found()).toEqual(['no receipt']);
      expect(seen(13_000).fault({ at: 3000, healedAt: 6000, redis: true }).found()).toEqual([]);
      expect(shown().over('s', 11, 'bob').add({ kind: 'gone', at: 10_000, user: 'ann', how: 'left' }).found()).toEqual(
        [],
      );
    });

    const resuming = () =>
      new WrittenHistory().comeToStay('ann', 'bob').pair('s', 2, 'ann', 'bob').part('s', 60, 'ann', 'bob');

    it('arrive, too, after a skip that was refused', () => {
      const refused = resuming()
        .ask({ user: 'ann', op: 'skip', seconds: 3, session: 's', outcome: 'failed', code: 'UNAVAILABLE' })
        .send('ann', 's', 1, 3.1);
      expect(refused.found()).toEqual(['lost']);
    });

    it('between resuming clients arrive, if both stay', () => {
      expect(resuming().send('ann', 's', 1, 3).found()).toEqual(['lost']);
      expect(resuming().send('ann', 's', 1, 57).found()).toEqual([]);
      expect(resuming().fault({ at: 3000, healedAt: 57_000, redis: true }).send('ann', 's', 1, 4).found()).toEqual([]);
      const long = resuming().send('ann', 's', 1, 3).send('ann', 's', 2, 3);
      expect(long.show('bob', 'ann', 's', 1, 54).found()).toEqual(['lost']);
      long.events.pop();
      expect(long.show('bob', 'ann', 's', 1, 56).found()).toEqual([]);
    });

    it('all arrive when there is no fault any more', () => {
      const last = history()
        .phase('roll-call', 1.5)
        .pair('s', 2, 'ann', 'bob')
        .send('ann', 's', 1, 3)
        .phase('closing', 20);
      expect(last.found()).toEqual(['lost']);
      expect(last.show('bob', 'ann', 's', 1, 4).found()).toEqual([]);
    });
  });
});
