import { LeaseLost } from '../src/index.ts';
import type { StoreBench } from './store-bench.ts';
import { leaseMs, StoreCommands } from './store-commands.ts';

/** What every {@link PairStore} guarantees of leases, and of the users of nodes that lost theirs. */
export function describeLeases(open: () => Promise<StoreBench>): void {
  let on: StoreCommands;
  let epoch: string;

  const reap = (nodeId: string, limit = 100) => on.store.reap({ nodeId, limit, graceMs: 0 });
  const renew = (nodeId: string, known = epoch) => on.store.renewLease({ nodeId, leaseMs, epoch: known });

  beforeEach(async () => {
    on = await StoreCommands.open(open);
    ({ epoch } = await on.register('n1'));
  });

  afterEach(() => on.close());

  describe('leases', () => {
    it('prolongs a valid lease, and names the lapsed ones', async () => {
      expect(await renew('n1')).toEqual({ epoch, lapsed: [], due: 0, waitingFacts: 0 });
      await on.store.releaseLease('n2');
      await on.lapse('n3');
      const { lapsed } = await renew('n1');
      expect(lapsed.sort()).toEqual(['n2', 'n3']);
    });

    it('gives back a lapsed lease that nobody has touched', async () => {
      await on.search('ann', 'n1');
      await on.lapse('n1');
      expect(await renew('n1')).toMatchObject({ epoch, lapsed: [] });
      expect(await reap('n1')).toBe(0);
      expect((await on.search('bob', 'n2'))[0]).toMatchObject({ state: 'paired', session: { partnerId: 'ann' } });
    });

    it('never gives back a lease that was given up', async () => {
      await on.store.releaseLease('n1');
      await expect(renew('n1')).rejects.toBeInstanceOf(LeaseLost);
      await expect(renew('unknown')).rejects.toBeInstanceOf(LeaseLost);
    });

    it('never gives back a lease once the first user was taken', async () => {
      await on.search('ann', 'n1');
      await on.search('bob', 'n1');
      await on.lapse('n1');
      expect(await reap('n1', 1)).toBe(1);
      await expect(renew('n1')).rejects.toBeInstanceOf(LeaseLost);
      expect(await reap('n1')).toBe(0);
      await expect(renew('n1')).rejects.toBeInstanceOf(LeaseLost);
      await expect(on.search('cat', 'n1')).rejects.toBeInstanceOf(LeaseLost);
      await expect(on.store.sync('n1', [])).rejects.toBeInstanceOf(LeaseLost);
    });

    it('releases a lease that is not there', async () => {
      await on.store.releaseLease('unknown');
      expect(await renew('n1')).toMatchObject({ lapsed: [] });
    });

    it('begins another epoch when it has lost its data, and takes its nodes again', async () => {
      await on.bench.loseData();
      const { epoch: next } = await renew('n1');
      expect(next).not.toBe(epoch);
      expect(await renew('n2')).toMatchObject({ epoch: next });
      expect(await renew('n1', next)).toMatchObject({ epoch: next });
      expect(await on.search('ann', 'n1')).toMatchObject([{ state: 'waiting' }]);
    });

    it('tells how many facts wait, and how many users are due', async () => {
      await on.pairResumable('ann', 'bob');
      await on.suspend('ann');
      expect(await renew('n1')).toMatchObject({ waitingFacts: 1, due: 1 });
      await on.resume('ann', 'n1', 'ann-0', 'ann-1');
      expect(await renew('n1')).toMatchObject({ waitingFacts: 1, due: 0 });
    });
  });

  describe('reap', () => {
    it('leaves the users of a valid node alone', async () => {
      await on.search('ann', 'n1');
      expect(await reap('n1')).toBe(0);
      expect(await on.search('bob', 'n2')).toMatchObject([{ state: 'paired', session: { partnerId: 'ann' } }]);
    });

    it('removes the users of a lapsed node, a batch at a time, and then the node', async () => {
      for (const userId of ['u1', 'u2', 'u3', 'u4', 'u5']) {
        await on.search(userId, 'n1');
        await on.leave(userId, 'n1');
      }
      await on.lapse('n1');
      expect(await reap('n1', 2)).toBe(3);
      expect(await renew('n2')).toMatchObject({ lapsed: ['n1'] });
      expect(await reap('n1', 2)).toBe(1);
      expect(await reap('n1', 2)).toBe(0);
      expect(await renew('n2')).toMatchObject({ lapsed: [] });
    });

    it('ends the sessions of its plain users, tells their partners, and records it without a count', async () => {
      const sessionId = await on.pair('ann', 'bob');
      await on.lapse('n1');
      await on.told('n2');
      await reap('n1');
      const told = { userId: 'bob', state: 'idle', ended: { sessionId, reason: 'timeout' } };
      expect(await on.told('n2')).toMatchObject([told]);
      expect((await on.facts())[1]).toMatchObject({ kind: 'ended', sessionId, endReason: 'timeout', messages: null });
      expect(await on.search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
    });

    it('ends a session once when both its sides are on the lapsed node', async () => {
      await on.pair('ann', 'bob', 'n1');
      await on.lapse('n1');
      expect(await reap('n1', 1)).toBe(1);
      expect(await reap('n1', 1)).toBe(0);
      expect(await on.kindsOfFacts()).toEqual(['started', 'ended']);
    });

    it('makes those away who may resume, and ends the sessions of the others', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      const plainSession = await on.pair('cat', 'dan');
      await on.forgetReceived();
      await on.lapse('n1');
      expect(await reap('n1')).toBe(0);
      expect(await on.told('n2')).toHaveLength(2);
      expect(await on.kindsOfFacts()).toEqual(['started', 'started', 'ended']);
      expect((await on.facts())[2]).toMatchObject({ sessionId: plainSession });
      const resumed = await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      expect(resumed?.changes).toMatchObject([
        { userId: 'ann', state: 'paired', session: { sessionId, partnerNode: 'n2' } },
      ]);
      expect(await on.told('n2')).toMatchObject([
        { userId: 'bob', state: 'paired', session: { sessionId, partnerNode: 'n3' } },
      ]);
    });

    it('tells a partner without an end when the user may resume', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      await on.lapse('n1');
      await reap('n1');
      const [bob] = await on.told('n2');
      const { startedAt } = (await on.facts())[0] ?? {};
      const session = { sessionId, partnerId: 'ann', startedAt, side: 'b' };
      expect(bob).toEqual({ userId: 'bob', revision: 2, state: 'paired', session });
      expect(await on.told('n1')).toMatchObject([{ userId: 'ann', state: 'away' }]);
    });

    it('leaves those alone who have moved to another node', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      await on.lapse('n1');
      await on.forgetReceived();
      expect(await reap('n1')).toBe(0);
      expect(await on.search('ann', 'n3')).toMatchObject([{ state: 'paired', session: { sessionId } }]);
      expect(await on.told('n2')).toEqual([]);
    });

    it('may be done by several at once', async () => {
      for (let i = 0; i < 50; i++) await on.pair(`a${i}`, `b${i}`);
      await on.lapse('n1');
      await Promise.all(Array.from({ length: 20 }, () => reap('n1', 7)));
      expect((await on.kindsOfFacts()).filter(kind => kind === 'ended')).toHaveLength(50);
    });
  });
}
