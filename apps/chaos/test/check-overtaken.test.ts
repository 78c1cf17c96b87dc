import { WrittenHistory } from './write-history.ts';

describe('the checker', () => {
  describe('a user who waits', () => {
    /** Ann waits, and from the 5th second on a pair is made of others every tenth of a second. */
    const waiting = (pairs: number) => {
      const history = new WrittenHistory()
        .comeToStay('ann')
        .ask({ user: 'ann', op: 'search', seconds: 2, reply: { state: 'waiting' } });
      for (let n = 0; n < pairs; n++) {
        const [one, other] = [`bob${n}`, `eve${n}`];
        const at = 5 + n / 10;
        history
          .come(one, other)
          .pair(`s${n}`, at, one, other)
          .part(`s${n}`, at + 0.05, one, other);
      }
      return history.phase('closing', 60).add({ kind: 'gone', at: 60_000, user: 'ann', how: 'left' });
    };

    it('is not passed over by those who come later', () => {
      expect(waiting(60).found()).toEqual(['overtaken']);
    });

    it('may miss some draws', () => {
      expect(waiting(40).found()).toEqual([]);
    });

    it('is not passed over after an absence, nor when it asks again', () => {
      const back = waiting(60)
        .add({ kind: 'down', at: 3000, user: 'ann' })
        .add({ kind: 'up', at: 4000, user: 'ann', node: 'node-2#1', state: 'waiting' })
        .ask({ user: 'ann', op: 'search', seconds: 4.5, reply: { state: 'waiting' } });
      expect(back.found()).toEqual(['overtaken']);
    });

    it.each([
      [
        'is away',
        (history: WrittenHistory) =>
          history
            .add({ kind: 'down', at: 7000, user: 'ann' })
            .add({ kind: 'up', at: 10_900, user: 'ann', node: 'node-2#1', state: 'waiting' }),
      ],
      [
        'asks to leave',
        (history: WrittenHistory) => history.ask({ user: 'ann', op: 'end', seconds: 7, reply: { state: 'idle' } }),
      ],
      [
        'is on a node that is cut off',
        (history: WrittenHistory) => history.fault({ at: 6000, healedAt: 7000, cuts: ['node-1#1'] }),
      ],
      [
        'is forgotten',
        (history: WrittenHistory) => history.fault({ at: 6000, healedAt: 7000, redis: true, losesData: true }),
      ],
    ])('may be when it %s', (_name, hinder) => {
      expect(hinder(waiting(60)).found()).not.toContain('overtaken');
    });

    it('may be on account of those who wait as long', () => {
      const others = waiting(60);
      for (const event of others.events)
        if (event.kind === 'op' && event.user !== 'ann' && event.op === 'search') event.at = 2500;
      expect(others.found()).not.toContain('overtaken');
    });
  });
});
