import { LeaseLost, type UserChange } from '../src/index.ts';
import { describeLeases } from './lease-contract.ts';
import { describeResume } from './resume-contract.ts';
import type { StoreBench } from './store-bench.ts';
import { nodes, StoreCommands } from './store-commands.ts';
import { describeSync } from './sync-contract.ts';

/** What every {@link PairStore} guarantees. */
export function describePairStore(name: string, open: () => Promise<StoreBench>): void {
  describe(`${name} as a pair store`, () => {
    describeCommands(open);
    describeLeases(open);
    describeResume(open);
    describeSync(open);
  });
}

function describeCommands(open: () => Promise<StoreBench>): void {
  let on: StoreCommands;

  beforeEach(async () => {
    on = await StoreCommands.open(open);
  });

  afterEach(() => on.close());

  describe('search', () => {
    it('lets a user wait when nobody waits', async () => {
      expect(await on.search('ann')).toEqual([{ userId: 'ann', revision: 1, state: 'waiting' }]);
      expect(await on.facts()).toEqual([]);
    });

    it('pairs a user with one who waits, tells the other node, and records the start', async () => {
      await on.search('ann', 'n1');
      const changes = await on.search('bob', 'n2', { sessionId: 's1' });
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
      expect(changes).toEqual([bob]);
      expect(await on.told('n1')).toEqual([ann]);
      expect(await on.told('n2')).toEqual([]);
      expect(await on.facts()).toEqual([{ kind: 'started', sessionId: 's1', userA: 'ann', userB: 'bob', startedAt }]);
    });

    it('tells of a match on the same node in the reply, and otherwise, too, for the reply may be lost', async () => {
      await on.search('ann');
      const [, ann] = await on.search('bob');
      expect(ann).toMatchObject({ userId: 'ann', state: 'paired', session: { partnerId: 'bob' } });
      expect(await on.told('n1')).toMatchObject([{ userId: 'ann', state: 'paired' }]);
    });

    it('leaves a waiting user in the queue, in the same place', async () => {
      await on.search('ann');
      expect(await on.search('ann')).toMatchObject([{ state: 'waiting', revision: 1 }]);
      expect(await on.search('bob')).toMatchObject([{ state: 'paired' }, { userId: 'ann' }]);
      expect(await on.search('cat')).toMatchObject([{ state: 'waiting' }]);
    });

    it('leaves a paired user in the session', async () => {
      const sessionId = await on.pair('ann', 'bob');
      expect(await on.search('ann')).toMatchObject([{ state: 'paired', revision: 2, session: { sessionId } }]);
      expect(await on.facts()).toHaveLength(1);
    });

    it('answers a repeated request with the present state, whatever has happened since', async () => {
      const request = { requestId: on.nextRequestId() };
      await on.search('ann', 'n1', request);
      const sessionId = await on.pair('ann', 'bob');
      expect(await on.search('ann', 'n1', request)).toMatchObject([{ state: 'paired', session: { sessionId } }]);
      await on.leave('bob', 'n2');
      expect(await on.search('ann', 'n1', request)).toMatchObject([{ state: 'idle' }]);
      expect(await on.facts()).toHaveLength(2);
    });

    it('makes one session of a repeated request that found a partner', async () => {
      await on.search('ann');
      const request = { requestId: on.nextRequestId(), sessionId: 's7' };
      const [first] = await on.search('bob', 'n2', request);
      await on.search('cat', 'n3');
      expect(await on.search('bob', 'n2', request)).toEqual([first]);
      expect(await on.facts()).toHaveLength(1);
    });

    it('passes over the users of a lapsed node, who keep their places', async () => {
      await on.search('ann', 'n1');
      await on.lapse('n1');
      expect(await on.search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
      expect((await on.search('cat', 'n3'))[0]).toMatchObject({ state: 'paired', session: { partnerId: 'bob' } });
      await on.register('n1');
      expect((await on.search('dan', 'n3'))[0]).toMatchObject({ state: 'paired', session: { partnerId: 'ann' } });
    });

    it('is refused to a node without a lease, and writes nothing', async () => {
      await on.store.releaseLease('n1');
      await expect(on.search('ann', 'n1')).rejects.toBeInstanceOf(LeaseLost);
      await expect(on.search('ann', 'unknown')).rejects.toBeInstanceOf(LeaseLost);
      expect(await on.search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
    });

    it('is carried out for a node whose lease lapsed and is not lost', async () => {
      await on.lapse('n1');
      expect(await on.search('ann', 'n1')).toMatchObject([{ state: 'waiting' }]);
    });

    it('does not make a user whom the node knows, and the store does not', async () => {
      expect(await on.search('ann', 'n1', { revision: 3 })).toEqual([{ userId: 'ann', revision: 0, state: 'idle' }]);
      expect(await on.search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
    });

    it('does nothing that its user did not ask for, if the entry has changed', async () => {
      const [{ revision } = { revision: 0 }] = await on.search('ann');
      const again = { revision, unlessChanged: true };
      expect(await on.search('ann', 'n1', again)).toMatchObject([{ state: 'waiting', revision }]);
      await on.search('bob', 'n2', { sessionId: 's7' });
      expect(await on.search('ann', 'n1', again)).toMatchObject([{ state: 'paired', session: { sessionId: 's7' } }]);
      await on.leave('bob', 'n2');
      const [idle] = await on.search('ann', 'n1', again);
      expect(idle).toMatchObject({ state: 'idle' });
      expect(await on.search('cat', 'n3')).toMatchObject([{ state: 'waiting' }]);
      const known = { ...again, revision: idle?.revision ?? 0 };
      expect(await on.search('ann', 'n1', known)).toMatchObject([{ state: 'paired', session: { partnerId: 'cat' } }]);
    });

    it('pairs two who just parted when nobody else waits', async () => {
      await on.pair('ann', 'bob');
      await on.leave('ann');
      await on.search('ann');
      expect((await on.search('bob', 'n2'))[0]).toMatchObject({ state: 'paired', session: { partnerId: 'ann' } });
    });
  });

  describe('search with skip', () => {
    it('ends the session, tells the partner, and waits', async () => {
      const sessionId = await on.pair('ann', 'bob');
      await on.told('n2');
      const changes = await on.search('ann', 'n1', { skip: { sessionId, messages: 5 } });
      const bob = { userId: 'bob', revision: 2, state: 'idle', ended: { sessionId, reason: 'skip' } };
      expect(changes).toEqual([{ userId: 'ann', revision: 4, state: 'waiting' }]);
      expect(await on.told('n2')).toEqual([bob]);
      const times = { startedAt: expect.any(Number), endedAt: expect.any(Number) };
      expect((await on.facts())[1]).toEqual({
        ...{ kind: 'ended', sessionId, userA: 'ann', userB: 'bob', ...times, endReason: 'skip', messages: 5 },
      });
    });

    it('is paired with somebody who waits, in the same step', async () => {
      const sessionId = await on.pair('ann', 'bob');
      await on.search('cat', 'n3');
      await on.told('n1');
      expect(await on.search('bob', 'n2', { skip: { sessionId, messages: 0 } })).toMatchObject([
        { userId: 'bob', state: 'paired', session: { partnerId: 'cat', partnerNode: 'n3' } },
      ]);
      expect(await on.told('n1')).toMatchObject([
        { userId: 'ann', state: 'idle', ended: { sessionId, reason: 'skip' } },
      ]);
      expect(await on.told('n3')).toMatchObject([{ userId: 'cat', state: 'paired' }]);
    });

    it('does not end another session than the named one', async () => {
      const sessionId = await on.pair('ann', 'bob');
      const skip = { sessionId: 'an older one', messages: 0 };
      expect(await on.search('ann', 'n1', { skip })).toMatchObject([{ state: 'paired', session: { sessionId } }]);
      expect(await on.facts()).toHaveLength(1);
    });

    it('ends one session when it is repeated', async () => {
      const sessionId = await on.pair('ann', 'bob');
      const request = { requestId: on.nextRequestId(), skip: { sessionId, messages: 0 } };
      await on.search('ann', 'n1', request);
      expect(await on.search('ann', 'n1', request)).toMatchObject([{ userId: 'ann', state: 'waiting' }]);
      expect(await on.kindsOfFacts()).toEqual(['started', 'ended']);
    });
  });

  describe('leave', () => {
    it('takes a user out of the queue', async () => {
      await on.search('ann');
      expect(await on.leave('ann')).toEqual([{ userId: 'ann', revision: 2, state: 'idle' }]);
      expect(await on.search('bob')).toMatchObject([{ state: 'waiting' }]);
    });

    it.each(['a', 'b'] as const)('ends the session for both when side %s leaves', async side => {
      const sessionId = await on.pair('ann', 'bob');
      const [user, node, partner, partnerNode] = side === 'a' ? ['ann', 'n1', 'bob', 'n2'] : ['bob', 'n2', 'ann', 'n1'];
      await on.told(partnerNode);
      const changes = await on.leave(user, node, { reason: 'disconnect', messages: 3, forget: true });
      const told = { userId: partner, state: 'idle', ended: { sessionId, reason: 'disconnect' } };
      expect(changes).toMatchObject([{ userId: user, state: 'idle' }]);
      expect(await on.told(partnerNode)).toMatchObject([told]);
      const ended = { kind: 'ended', sessionId, userA: 'ann', userB: 'bob', endReason: 'disconnect', messages: 3 };
      expect((await on.facts())[1]).toMatchObject(ended);
    });

    it('changes nothing for a user who is idle or unknown', async () => {
      expect(await on.leave('ann')).toEqual([{ userId: 'ann', revision: 0, state: 'idle' }]);
      await on.search('ann');
      await on.leave('ann');
      expect(await on.leave('ann')).toEqual([{ userId: 'ann', revision: 2, state: 'idle' }]);
      expect(await on.facts()).toEqual([]);
    });

    it('answers a repeated request with the present state', async () => {
      await on.pair('ann', 'bob');
      const request = { requestId: on.nextRequestId() };
      await on.leave('ann', 'n1', request);
      await on.search('ann');
      expect(await on.leave('ann', 'n1', request)).toMatchObject([{ userId: 'ann', state: 'waiting' }]);
      const sessionId = await on.pair('ann', 'cat', 'n3');
      expect(await on.leave('ann', 'n1', request)).toMatchObject([
        { state: 'paired', session: { sessionId, partnerId: 'cat', partnerNode: 'n3' } },
      ]);
    });

    it('is carried out for a node without a lease, as long as nobody has taken the user', async () => {
      await on.pair('ann', 'bob');
      await on.store.releaseLease('n1');
      await on.told('n2');
      expect(await on.leave('ann')).toMatchObject([{ userId: 'ann', state: 'idle' }]);
      expect(await on.told('n2')).toMatchObject([{ userId: 'bob', state: 'idle' }]);
    });
  });

  it('refuses a command that comes late, after a newer one of the same user', async () => {
    await on.search('ann', 'n1', { requestId: 5 });
    await on.leave('ann', 'n1', { requestId: 9 });
    expect(await on.search('ann', 'n1', { requestId: 7 })).toMatchObject([{ state: 'idle' }]);
  });

  it('refuses the commands of a node on which the user does not live', async () => {
    const sessionId = await on.pair('ann', 'bob');
    await on.forgetReceived();
    const gone = [{ userId: 'ann', revision: 2, state: 'gone' }];
    expect(await on.search('ann', 'n3', { skip: { sessionId, messages: 0 } })).toEqual(gone);
    expect(await on.search('ann', 'n3', { revision: 2 })).toEqual(gone);
    expect(await on.leave('ann', 'n3', { forget: true })).toEqual(gone);
    expect(await on.suspend('ann', 'n3')).toEqual(gone);
    expect(await on.search('ann')).toMatchObject([{ state: 'paired', revision: 2, session: { sessionId } }]);
    expect(await on.told('n2')).toEqual([]);
    expect(await on.facts()).toHaveLength(1);
  });

  it('pairs everyone once when many search at the same time', async () => {
    const users = Array.from({ length: 200 }, (_, i) => `u${i}`);
    const replies = await Promise.all(users.map((userId, i) => on.search(userId, nodes[i % 3])));
    const told = await Promise.all(nodes.map(nodeId => on.told(nodeId)));
    // Those who waited are told; whose partner lives on the same node is told in the reply to that one, too.
    const changes = [...replies.map(([own]) => own), ...told.flat()];
    const paired = changes.filter(change => change !== undefined).filter(change => change.state === 'paired');
    expect(new Set(paired.map(change => change.userId)).size).toBe(200);
    expect(paired).toHaveLength(200);
    expect(new Set(paired.map(change => change.session.sessionId)).size).toBe(100);
  });
}
