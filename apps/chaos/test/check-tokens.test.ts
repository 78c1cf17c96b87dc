import { WrittenHistory } from './write-history.ts';

describe('the checker', () => {
  const chat = () =>
    new WrittenHistory().comeToStay('ann', 'bob').pair('s', 2, 'ann', 'bob').part('s', 60, 'bob', 'ann');

  describe('of two connections with one token', () => {
    const copied = (closedAt?: number, how: 'replaced' | 'lost' | 'left' = 'replaced') => {
      const history = chat().copy('ann', 10).phase('closing', 70);
      return closedAt === undefined ? history : history.add({ kind: 'closed', at: closedAt, user: 'ann', how });
    };

    it('wants the older one closed', () => {
      expect(copied(10_090).found()).toEqual([]);
      expect(copied(18_000).found()).toEqual([]);
      expect(copied(18_200).found()).toEqual(['not replaced']);
      expect(copied().found()).toEqual(['not replaced']);
    });

    it('wants the older one told why, unless a fault took it away or the person did, which is counted', () => {
      const fault = { at: 9000, healedAt: 11_000 };
      expect(copied(10_500, 'lost').found()).toEqual(['not replaced']);
      const touched = copied(10_500, 'lost').fault({ ...fault, halts: ['node-1#1'] });
      expect(touched.found()).toEqual([]);
      expect([...touched.verdict().excused.values()]).toEqual([1]);
      expect(
        copied(10_500, 'lost')
          .fault({ ...fault, halts: ['node-2#1'] })
          .found(),
      ).toEqual(['not replaced']);
      expect(copied(10_500, 'left').found()).toEqual([]);
      expect([...copied(10_500, 'left').verdict().excused.values()]).toEqual([1]);
    });

    it('waits for the node of the older one while that cannot hear of the newer one', () => {
      const deaf = (node: string) => copied(27_900).fault({ at: 10_050, healedAt: 20_000, cuts: [node] });
      expect(deaf('node-1#1').found()).toEqual([]);
      expect(deaf('node-3#1').found()).toEqual(['not replaced']);
      const wiped = (closedAt: number) =>
        copied(closedAt).fault({ at: 15_000, healedAt: 16_000, redis: true, losesData: true });
      expect(wiped(28_900).found()).toEqual([]);
      expect(wiped(29_100).found()).toEqual(['not replaced']);
    });

    it('wants the newer one to be the same user in the same chat', () => {
      const lost = new WrittenHistory()
        .comeToStay('ann', 'bob')
        .pair('s', 2, 'ann', 'bob')
        .add({ kind: 'copied', at: 10_000, user: 'ann' })
        .add({ kind: 'down', at: 10_100, user: 'ann', reload: true })
        .add({ kind: 'closed', at: 10_100, user: 'ann', how: 'left' })
        .add({ kind: 'gone', at: 10_100, user: 'ann', how: 'lost' })
        .over('s', 10.2, 'bob');
      expect(lost.found()).toEqual(['not resumed']);
    });

    /** Bob sees that these were shown. */
    const received = (history: WrittenHistory, ...numbers: number[]) => {
      for (const n of numbers) history.add({ kind: 'delivered', at: 12_000, user: 'bob', session: 's', n });
      return history;
    };

    it('wants messages shown once and in order across the two', () => {
      const both = (...numbers: number[]) => received(copied(10_100), ...numbers).show('ann', 'bob', 's', 1, 9);
      const late = (...numbers: number[]) => both(1, 2, ...numbers).showLate('ann', 'bob', 's', 2, 10.1);
      expect(late(3).show('ann', 'bob', 's', 3, 11).found()).toEqual([]);
      expect(late().show('ann', 'bob', 's', 1, 11).found()).toEqual(['repeated']);
      expect(late().showLate('ann', 'bob', 's', 1, 10.2).found()).toEqual(['repeated']);
      expect(late().showLate('ann', 'bob', 's', 2, 10.2).found()).toEqual(['repeated']);
      expect(late(4).show('ann', 'bob', 's', 4, 11).found()).toEqual(['gap']);
    });

    it('lets both show what came when the one was copied already, which is counted', () => {
      const late = received(copied(10_100), 1).showLate('ann', 'bob', 's', 1, 10.05);
      expect(late.show('ann', 'bob', 's', 1, 11).found()).toEqual([]);
      expect([...late.verdict().excused.values()]).toEqual([1]);
      expect(late.show('ann', 'bob', 's', 1, 12).found()).toEqual(['repeated']);
    });

    it('lets the older one show what came when the copy had left the chat, and no later, which is counted', () => {
      const row = { id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 2000, endedAt: 60_000 };
      const shownAt = (seconds: number) => received(copied(69_500), 1).row(row).showLate('ann', 'bob', 's', 1, seconds);
      expect(shownAt(61).found()).not.toContain('wrong partner');
      expect([...shownAt(61).verdict().excused.keys()].join()).toContain('that the copy had left');
      expect(shownAt(69).found()).toContain('wrong partner');
      const deaf = (node: string) => shownAt(69).fault({ at: 60_500, healedAt: 68_500, cuts: [node] });
      expect(deaf('node-1#1').found()).not.toContain('wrong partner');
      expect(deaf('node-3#1').found()).toContain('wrong partner');
    });

    it('lets the older one show nothing of chats in which the user never was', () => {
      const late = copied(10_100).come('eve', 'dan').pair('t', 3, 'eve', 'dan').part('t', 60, 'eve', 'dan');
      expect(late.showLate('ann', 'eve', 't', 1, 10.05).found()).toEqual(['wrong partner']);
    });
  });

  describe('a token that was replaced', () => {
    const shown = (resumed: boolean) =>
      chat()
        .add({ kind: 'down', at: 10_000, user: 'ann' })
        .add({ kind: 'up', at: 10_100, user: 'ann', node: 'node-1#1', state: 'paired' })
        .add({ kind: 'stranger', at: 20_000, user: 'ann', endedAt: 20_050, resumed });
    const usedAt = (seconds: number) => shown(true).send('ann', 's', 1, seconds).show('bob', 'ann', 's', 1, seconds);
    const checks = (history: WrittenHistory) => history.found().filter(check => check === 'old token');

    it('is worth nothing once its owner has used the newer one', () => {
      expect(checks(usedAt(15))).toEqual(['old token']);
      expect(checks(shown(false).send('ann', 's', 1, 15))).toEqual([]);
    });

    it('is good until then, which is counted', () => {
      expect(checks(usedAt(9))).toEqual([]);
      expect(checks(usedAt(19.5))).toEqual([]);
      expect([...usedAt(9).verdict().excused.keys()].join()).toContain('had said nothing since');
    });

    it('may stay good while a fault hinders what its owner says, which is counted', () => {
      const slow = (cuts: string[]) => usedAt(15).fault({ at: 14_000, healedAt: 16_000, cuts });
      expect(checks(slow(['node-1#1']))).toEqual([]);
      expect([...slow(['node-1#1']).verdict().excused.keys()].join()).toContain('a fault hindered');
      expect(checks(slow(['node-2#1']))).toEqual(['old token']);
      expect(checks(slow(['node-1#1']).send('ann', 's', 2, 18))).toEqual(['old token']);
      const wiped = slow([])
        .send('ann', 's', 2, 18)
        .fault({ at: 17_000, healedAt: 17_100, redis: true, losesData: true });
      expect(checks(wiped)).toEqual([]);
    });
  });
});
