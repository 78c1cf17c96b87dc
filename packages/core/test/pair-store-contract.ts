import { randomUUID } from 'node:crypto';
import {
  LeaseLost,
  type LeaveCommand,
  type NodeMessage,
  type Outbox,
  type PairStore,
  type SearchCommand,
  type UserChange,
} from '../src/index.ts';
import { readFacts } from './read-facts.ts';

/** A store with a pool of its own, and what a test needs to see beside it. */
export interface StoreBench {
  store: PairStore;
  outbox: Outbox;
  /** Starts to collect what a node is sent. */
  listen(nodeId: string): Promise<void>;
  /** All that the node was sent until now, and forgets it. */
  received(nodeId: string): Promise<NodeMessage[]>;
  /** Fails if anything but the outbox is left, then gives everything back. */
  close(): Promise<void>;
}

const leaseMs = 60_000;
const nodes = ['n1', 'n2', 'n3'];

/** What every {@link PairStore} guarantees. */
export function describePairStore(name: string, open: () => Promise<StoreBench>): void {
  describe(`${name} as a pair store`, () => {
    let bench: StoreBench;
    let requestId: number;

    const command = (userId: string, nodeId: string) => ({ userId, nodeId, requestId: ++requestId });
    const search = (userId: string, nodeId = 'n1', more: Partial<SearchCommand> = {}) =>
      bench.store.search({ ...command(userId, nodeId), sessionId: randomUUID(), ...more });
    const leave = (userId: string, nodeId = 'n1', more: Partial<LeaveCommand> = {}) =>
      bench.store.leave({ ...command(userId, nodeId), reason: 'end', messages: 0, forget: false, ...more });
    const facts = () => readFacts(bench.outbox);
    /** Pairs two users, the first one as side a. */
    const pair = async (first: string, second: string, secondNode = 'n2') => {
      const sessionId = randomUUID();
      await search(first);
      await search(second, secondNode, { sessionId });
      return sessionId;
    };

    beforeEach(async () => {
      bench = await open();
      requestId = 0;
      for (const nodeId of nodes) {
        await bench.store.register(nodeId, leaseMs);
        await bench.listen(nodeId);
      }
    });

    afterEach(async () => {
      for (const nodeId of nodes) {
        await bench.store.releaseLease(nodeId);
        expect(await bench.store.reap(nodeId, 1000)).toBe(0);
      }
      await bench.close();
    });

    describe('search', () => {
      it('lets a user wait when nobody waits', async () => {
        expect(await search('ann')).toEqual([{ userId: 'ann', revision: 1, state: 'waiting' }]);
        expect(await facts()).toEqual([]);
      });

      it('pairs a user with one who waits, tells the other node, and records the start', async () => {
        await search('ann', 'n1');
        const changes = await search('bob', 'n2', { sessionId: 's1' });
        const startedAt = expect.any(Number);
        const ann: UserChange = {
          userId: 'ann',
          revision: 2,
          state: 'paired',
          session: { sessionId: 's1', partnerId: 'bob', partnerNode: 'n2', startedAt, side: 'a' },
        };
        const bob: UserChange = {
          userId: 'bob',
          revision: 1,
          state: 'paired',
          session: { sessionId: 's1', partnerId: 'ann', partnerNode: 'n1', startedAt, side: 'b' },
        };
        expect(changes).toEqual([bob, ann]);
        expect(await bench.received('n1')).toEqual([{ kind: 'change', change: ann }]);
        expect(await bench.received('n2')).toEqual([]);
        expect(await facts()).toEqual([{ kind: 'started', sessionId: 's1', userA: 'ann', userB: 'bob', startedAt }]);
      });

      it('tells of a match on the same node too, for the reply may be lost', async () => {
        await search('ann');
        await search('bob');
        expect(await bench.received('n1')).toMatchObject([{ change: { userId: 'ann', state: 'paired' } }]);
      });

      it('leaves a waiting user in the queue, in the same place', async () => {
        await search('ann');
        expect(await search('ann')).toMatchObject([{ state: 'waiting', revision: 1 }]);
        expect(await search('bob')).toMatchObject([{ state: 'paired' }, { userId: 'ann' }]);
        expect(await search('cat')).toMatchObject([{ state: 'waiting' }]);
      });

      it('leaves a paired user in the session', async () => {
        const sessionId = await pair('ann', 'bob');
        expect(await search('ann')).toMatchObject([{ state: 'paired', revision: 2, session: { sessionId } }]);
        expect(await facts()).toHaveLength(1);
      });

      it('answers a repeated request with the present state, whatever has happened since', async () => {
        const request = { requestId: ++requestId };
        await search('ann', 'n1', request);
        const sessionId = await pair('ann', 'bob');
        expect(await search('ann', 'n1', request)).toMatchObject([{ state: 'paired', session: { sessionId } }]);
        await leave('bob', 'n2');
        expect(await search('ann', 'n1', request)).toMatchObject([{ state: 'idle' }]);
        expect(await facts()).toHaveLength(2);
      });

      it('makes one session of a repeated request that found a partner', async () => {
        await search('ann');
        const request = { requestId: ++requestId, sessionId: 's7' };
        const [first] = await search('bob', 'n2', request);
        await search('cat', 'n3');
        expect(await search('bob', 'n2', request)).toEqual([first]);
        expect(await facts()).toHaveLength(1);
      });

      it('never draws a user of a lapsed node', async () => {
        await search('ann', 'n1');
        await bench.store.releaseLease('n1');
        expect(await search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
        expect((await search('cat', 'n3'))[0]).toMatchObject({ state: 'paired', session: { partnerId: 'bob' } });
      });

      it('is refused to a node without a valid lease, and writes nothing', async () => {
        await bench.store.releaseLease('n1');
        await expect(search('ann', 'n1')).rejects.toBeInstanceOf(LeaseLost);
        await expect(search('ann', 'unknown')).rejects.toBeInstanceOf(LeaseLost);
        expect(await search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
      });

      it('pairs two who just parted when nobody else waits', async () => {
        await pair('ann', 'bob');
        await leave('ann');
        await search('ann');
        expect((await search('bob', 'n2'))[0]).toMatchObject({ state: 'paired', session: { partnerId: 'ann' } });
      });
    });

    describe('search with skip', () => {
      it('ends the session, tells the partner, and waits', async () => {
        const sessionId = await pair('ann', 'bob');
        await bench.received('n2');
        const changes = await search('ann', 'n1', { skip: { sessionId, messages: 5 } });
        const bob = { userId: 'bob', revision: 2, state: 'idle', ended: { sessionId, reason: 'skip' } };
        expect(changes).toEqual([{ userId: 'ann', revision: 4, state: 'waiting' }, bob]);
        expect(await bench.received('n2')).toEqual([{ kind: 'change', change: bob }]);
        const times = { startedAt: expect.any(Number), endedAt: expect.any(Number) };
        expect((await facts())[1]).toEqual({
          ...{ kind: 'ended', sessionId, userA: 'ann', userB: 'bob', ...times, endReason: 'skip', messages: 5 },
        });
      });

      it('is paired with somebody who waits, in the same step', async () => {
        const sessionId = await pair('ann', 'bob');
        await search('cat', 'n3');
        expect(await search('bob', 'n2', { skip: { sessionId, messages: 0 } })).toMatchObject([
          { userId: 'bob', state: 'paired', session: { partnerId: 'cat', partnerNode: 'n3' } },
          { userId: 'ann', state: 'idle', ended: { sessionId, reason: 'skip' } },
          { userId: 'cat', state: 'paired' },
        ]);
        expect(await bench.received('n3')).toMatchObject([{ change: { userId: 'cat', state: 'paired' } }]);
      });

      it('does not end another session than the named one', async () => {
        const sessionId = await pair('ann', 'bob');
        const skip = { sessionId: 'an older one', messages: 0 };
        expect(await search('ann', 'n1', { skip })).toMatchObject([{ state: 'paired', session: { sessionId } }]);
        expect(await facts()).toHaveLength(1);
      });

      it('ends one session when it is repeated', async () => {
        const sessionId = await pair('ann', 'bob');
        const request = { requestId: ++requestId, skip: { sessionId, messages: 0 } };
        await search('ann', 'n1', request);
        expect(await search('ann', 'n1', request)).toMatchObject([{ userId: 'ann', state: 'waiting' }]);
        expect((await facts()).map(fact => fact.kind)).toEqual(['started', 'ended']);
      });
    });

    describe('leave', () => {
      it('takes a user out of the queue', async () => {
        await search('ann');
        expect(await leave('ann')).toEqual([{ userId: 'ann', revision: 2, state: 'idle' }]);
        expect(await search('bob')).toMatchObject([{ state: 'waiting' }]);
      });

      it.each(['a', 'b'] as const)('ends the session for both when side %s leaves', async side => {
        const sessionId = await pair('ann', 'bob');
        const [user, node, partner, partnerNode] =
          side === 'a' ? ['ann', 'n1', 'bob', 'n2'] : ['bob', 'n2', 'ann', 'n1'];
        await bench.received(partnerNode);
        const changes = await leave(user, node, { reason: 'disconnect', messages: 3, forget: true });
        const told = { userId: partner, state: 'idle', ended: { sessionId, reason: 'disconnect' } };
        expect(changes).toMatchObject([{ userId: user, state: 'idle' }, told]);
        expect(await bench.received(partnerNode)).toMatchObject([{ kind: 'change', change: told }]);
        const ended = { kind: 'ended', sessionId, userA: 'ann', userB: 'bob', endReason: 'disconnect', messages: 3 };
        expect((await facts())[1]).toMatchObject(ended);
      });

      it('changes nothing for a user who is idle or unknown', async () => {
        expect(await leave('ann')).toEqual([{ userId: 'ann', revision: 0, state: 'idle' }]);
        await search('ann');
        await leave('ann');
        expect(await leave('ann')).toEqual([{ userId: 'ann', revision: 2, state: 'idle' }]);
        expect(await facts()).toEqual([]);
      });

      it('answers a repeated request with the present state', async () => {
        await pair('ann', 'bob');
        const request = { requestId: ++requestId };
        await leave('ann', 'n1', request);
        await search('ann');
        expect(await leave('ann', 'n1', request)).toMatchObject([{ userId: 'ann', state: 'waiting' }]);
        const sessionId = await pair('ann', 'cat', 'n3');
        expect(await leave('ann', 'n1', request)).toMatchObject([
          { state: 'paired', session: { sessionId, partnerId: 'cat', partnerNode: 'n3' } },
        ]);
      });
    });

    it('refuses a command that comes late, after a newer one of the same user', async () => {
      await search('ann', 'n1', { requestId: 5 });
      await leave('ann', 'n1', { requestId: 9 });
      expect(await search('ann', 'n1', { requestId: 7 })).toMatchObject([{ state: 'idle' }]);
    });

    describe('leases', () => {
      it('prolongs a valid lease and names the lapsed ones', async () => {
        expect(await bench.store.renewLease('n1', leaseMs)).toEqual({ lapsed: [] });
        await bench.store.releaseLease('n2');
        expect(await bench.store.renewLease('n1', leaseMs)).toEqual({ lapsed: ['n2'] });
      });

      it('never gives a lapsed lease back', async () => {
        await bench.store.releaseLease('n1');
        await expect(bench.store.renewLease('n1', leaseMs)).rejects.toBeInstanceOf(LeaseLost);
        await expect(bench.store.renewLease('unknown', leaseMs)).rejects.toBeInstanceOf(LeaseLost);
      });

      it('releases a lease that is not there', async () => {
        await bench.store.releaseLease('unknown');
        expect(await bench.store.renewLease('n1', leaseMs)).toEqual({ lapsed: [] });
      });
    });

    describe('reap', () => {
      it('leaves the users of a valid node alone', async () => {
        await search('ann', 'n1');
        expect(await bench.store.reap('n1', 100)).toBe(0);
        expect(await search('bob', 'n2')).toMatchObject([{ state: 'paired' }, { userId: 'ann' }]);
      });

      it('removes the users of a lapsed node, a batch at a time, and then the node', async () => {
        for (const userId of ['u1', 'u2', 'u3', 'u4', 'u5']) {
          await search(userId, 'n1');
          await leave(userId, 'n1');
        }
        await bench.store.releaseLease('n1');
        expect(await bench.store.reap('n1', 2)).toBe(3);
        expect(await bench.store.renewLease('n2', leaseMs)).toEqual({ lapsed: ['n1'] });
        expect(await bench.store.reap('n1', 2)).toBe(1);
        expect(await bench.store.reap('n1', 2)).toBe(0);
        expect(await bench.store.renewLease('n2', leaseMs)).toEqual({ lapsed: [] });
      });

      it('ends the sessions of its users, tells their partners, and records it without a count', async () => {
        const sessionId = await pair('ann', 'bob');
        await bench.store.releaseLease('n1');
        await bench.received('n2');
        await bench.store.reap('n1', 100);
        const told = { userId: 'bob', state: 'idle', ended: { sessionId, reason: 'timeout' } };
        expect(await bench.received('n2')).toMatchObject([{ kind: 'change', change: told }]);
        expect((await facts())[1]).toMatchObject({ kind: 'ended', sessionId, endReason: 'timeout', messages: null });
        expect(await search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
      });

      it('ends a session once when both its sides are on the lapsed node', async () => {
        await pair('ann', 'bob', 'n1');
        await bench.store.releaseLease('n1');
        expect(await bench.store.reap('n1', 1)).toBe(1);
        expect(await bench.store.reap('n1', 1)).toBe(0);
        expect((await facts()).map(fact => fact.kind)).toEqual(['started', 'ended']);
      });
    });

    it('pairs everyone once when many search at the same time', async () => {
      const users = Array.from({ length: 200 }, (_, i) => `u${i}`);
      const changes = await Promise.all(users.map((userId, i) => search(userId, nodes[i % 3])));
      const paired = changes.flat().filter(change => change.state === 'paired');
      expect(new Set(paired.map(change => change.userId)).size).toBe(200);
      expect(paired).toHaveLength(200);
      expect(new Set(paired.map(change => change.session.sessionId)).size).toBe(100);
    });
  });
}
