import { LeaseLost } from '../src/index.ts';
import type { StoreBench } from './store-bench.ts';
import { StoreCommands } from './store-commands.ts';

/** What every {@link PairStore} guarantees of users whose connection is lost, and who resume. */
export function describeResume(open: () => Promise<StoreBench>): void {
  let on: StoreCommands;

  beforeEach(async () => {
    on = await StoreCommands.open(open);
  });

  afterEach(() => on.close());

  describe('suspend', () => {
    it('makes a user away who stays in the session, and tells the partner', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      const startedAt = expect.any(Number);
      const ann = { userId: 'ann', revision: 3, state: 'away' };
      const session = { sessionId, partnerId: 'ann', startedAt, side: 'b' };
      const bob = { userId: 'bob', revision: 2, state: 'paired', session };
      expect(await on.suspend('ann')).toEqual([ann]);
      expect(await on.told('n1')).toEqual([ann]);
      expect(await on.told('n2')).toEqual([bob]);
      expect(await on.kindsOfFacts()).toEqual(['started']);
    });

    it('takes a waiting user out of the queue', async () => {
      await on.searchResumable('ann');
      expect(await on.suspend('ann')).toEqual([{ userId: 'ann', revision: 2, state: 'away' }]);
      expect(await on.search('bob')).toMatchObject([{ state: 'waiting' }]);
    });

    it('may be repeated, and is not repeated for a user who has resumed meanwhile', async () => {
      await on.pairResumable('ann', 'bob');
      const request = { requestId: on.nextRequestId() };
      await on.suspend('ann', 'n1', request);
      await on.forgetReceived();
      expect(await on.suspend('ann', 'n1', request)).toEqual([{ userId: 'ann', revision: 3, state: 'away' }]);
      await on.resume('ann', 'n1', 'ann-0', 'ann-1');
      expect(await on.suspend('ann', 'n1', request)).toEqual([{ userId: 'ann', revision: 4, state: 'gone' }]);
      expect(await on.search('ann')).toMatchObject([{ state: 'paired' }]);
    });

    it('answers idle for a user who is unknown', async () => {
      expect(await on.suspend('ann')).toEqual([{ userId: 'ann', revision: 0, state: 'idle' }]);
    });

    it('refuses the commands of the node from then on', async () => {
      await on.pairResumable('ann', 'bob');
      await on.suspend('ann');
      const away = [{ userId: 'ann', revision: 3, state: 'away' }];
      expect(await on.search('ann', 'n1', { revision: 2 })).toEqual(away);
      expect(await on.leave('ann', 'n1', { forget: true })).toEqual(away);
      expect(await on.kindsOfFacts()).toEqual(['started']);
    });
  });

  describe('resume', () => {
    it('brings a user who was away back into the same session, and tells the partner', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      const requestId = on.nextRequestId();
      await on.suspend('ann', 'n1', { requestId });
      await on.forgetReceived();
      const { startedAt } = (await on.facts())[0] ?? {};
      const session = { sessionId, startedAt };
      const ann = { partnerId: 'bob', partnerNode: 'n2', side: 'a' };
      const bob = { partnerId: 'ann', partnerNode: 'n3', side: 'b' };
      const told = { userId: 'bob', revision: 3, state: 'paired', session: { ...session, ...bob } };
      expect(await on.resume('ann', 'n3', 'ann-0', 'ann-1')).toEqual({
        requestId,
        changes: [{ userId: 'ann', revision: 4, state: 'paired', session: { ...session, ...ann } }],
      });
      expect(await on.told('n2')).toEqual([told]);
      expect(await on.told('n1')).toEqual([]);
      expect(await on.kindsOfFacts()).toEqual(['started']);
    });

    it('moves a user who was not away, and tells the node before', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      const resumed = await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      expect(resumed?.changes[0]).toMatchObject({ state: 'paired', session: { sessionId } });
      expect(await on.told('n1')).toEqual([{ userId: 'ann', revision: 3, state: 'gone' }]);
      expect(await on.told('n2')).toMatchObject([{ userId: 'bob', session: { partnerNode: 'n3' } }]);
    });

    it('tells nobody else when the user comes back to the same node', async () => {
      await on.searchResumable('ann');
      await on.resume('ann', 'n1', 'ann-0', 'ann-1');
      expect(await on.told('n1')).toEqual([]);
    });

    it('refuses the commands of the node before, and takes those of the new one', async () => {
      await on.pairResumable('ann', 'bob');
      await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      const gone = [{ userId: 'ann', revision: 3, state: 'gone' }];
      expect(await on.search('ann', 'n1', { revision: 2 })).toEqual(gone);
      expect(await on.leave('ann', 'n1', { forget: true })).toEqual(gone);
      expect(await on.suspend('ann', 'n1')).toEqual(gone);
      await on.told('n2');
      expect(await on.leave('ann', 'n3')).toMatchObject([{ state: 'idle' }]);
      expect(await on.told('n2')).toMatchObject([{ userId: 'bob', state: 'idle' }]);
    });

    it('keeps the place in the queue', async () => {
      // Somebody who searched in between was passed over, as the node had lapsed.
      await on.searchResumable('ann', 'n1');
      await on.suspend('ann');
      await on.search('bob', 'n2');
      await on.lapse('n2');
      await on.search('cat', 'n3');
      await on.register('n2');
      const resumed = await on.resume('ann', 'n1', 'ann-0', 'ann-1');
      expect(resumed?.changes).toMatchObject([{ userId: 'ann', state: 'waiting', revision: 3 }]);
      jest.spyOn(Math, 'random').mockReturnValue(0);
      const found: (string | undefined)[] = [];
      for (const userId of ['dan', 'eve', 'fay']) {
        const [change] = await on.search(userId, 'n3');
        found.push(change?.state === 'paired' ? change.session.partnerId : change?.state);
      }
      jest.restoreAllMocks();
      expect(found).toEqual(['ann', 'bob', 'cat']);
    });

    it.each([
      ['another one', 'ann-9'],
      ['that of somebody else', 'bob-0'],
      ['an empty one', ''],
      ['the sign for none', '-'],
    ])('does nothing for a wrong token: %s', async (_, token) => {
      await on.pairResumable('ann', 'bob');
      await on.suspend('ann');
      await on.forgetReceived();
      expect(await on.resume('ann', 'n1', token, 'ann-1')).toBeUndefined();
      expect(await on.told('n2')).toEqual([]);
      expect(await on.search('ann', 'n1', { revision: 1 })).toMatchObject([{ state: 'away', revision: 3 }]);
    });

    it.each(['-', '', 'plain-0'])('does nothing for a plain user, whatever the token: "%s"', async token => {
      await on.search('plain');
      expect(await on.resume('plain', 'n2', token, 'plain-1')).toBeUndefined();
      expect(await on.leave('plain')).toMatchObject([{ state: 'idle', revision: 2 }]);
    });

    it('does nothing for an unknown user', async () => {
      expect(await on.resume('nobody', 'n1', 'nobody-0', 'nobody-1')).toBeUndefined();
    });

    it('is refused to a node without a lease', async () => {
      await on.pairResumable('ann', 'bob');
      await on.store.releaseLease('n3');
      await expect(on.resume('ann', 'n3', 'ann-0', 'ann-1')).rejects.toBeInstanceOf(LeaseLost);
      expect(await on.search('ann')).toMatchObject([{ state: 'paired', revision: 2 }]);
    });

    it('takes the present token and the one before it, and no older one', async () => {
      await on.searchResumable('ann');
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-1')).toBeDefined();
      // The client never got ann-1.
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-2')).toBeDefined();
      expect(await on.resume('ann', 'n1', 'ann-1', 'ann-x')).toBeUndefined();
      expect(await on.resume('ann', 'n1', 'ann-2', 'ann-3')).toBeDefined();
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-x')).toBeUndefined();
      expect(await on.resume('ann', 'n1', 'ann-3', 'ann-4')).toBeDefined();
    });

    it('takes the token before no more once that is retired, by the node of the user and for the present token', async () => {
      await on.searchResumable('ann');
      await on.resume('ann', 'n1', 'ann-0', 'ann-1');
      await on.store.retireToken({ userId: 'ann', nodeId: 'n2', token: 'ann-1' });
      await on.store.retireToken({ userId: 'ann', nodeId: 'n1', token: 'ann-0' });
      await on.store.retireToken({ userId: 'nobody', nodeId: 'n1', token: 'ann-1' });
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-2')).toBeDefined();
      await on.store.retireToken({ userId: 'ann', nodeId: 'n1', token: 'ann-2' });
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-x')).toBeUndefined();
      expect(await on.resume('ann', 'n1', 'ann-2', 'ann-3')).toBeDefined();
    });

    it('may be repeated when its reply was lost', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      await on.suspend('ann');
      const first = await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      const again = await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      expect(again?.requestId).toBe(first?.requestId);
      expect(again?.changes[0]).toMatchObject({ state: 'paired', session: { sessionId, partnerNode: 'n2' } });
      expect(await on.resume('ann', 'n3', 'ann-1', 'ann-2')).toBeDefined();
    });

    it('finds the session over when the partner left meanwhile', async () => {
      await on.pairResumable('ann', 'bob');
      await on.suspend('ann');
      await on.forgetReceived();
      expect(await on.leave('bob', 'n2')).toMatchObject([{ userId: 'bob', state: 'idle' }]);
      expect(await on.told('n1')).toEqual([]);
      const resumed = await on.resume('ann', 'n1', 'ann-0', 'ann-1');
      expect(resumed?.changes).toEqual([{ userId: 'ann', revision: 5, state: 'idle' }]);
      expect(await on.kindsOfFacts()).toEqual(['started', 'ended']);
    });

    it('brings both back who were away', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      expect(await on.suspend('ann')).toMatchObject([{ state: 'away' }]);
      expect(await on.told('n2')).toMatchObject([{ userId: 'bob', state: 'paired' }]);
      expect(await on.suspend('bob', 'n2')).toMatchObject([{ state: 'away' }]);
      const first = await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      expect(first?.changes[0]).toMatchObject({ state: 'paired', session: { sessionId, partnerId: 'bob' } });
      expect(first?.changes[0]).not.toHaveProperty('session.partnerNode');
      const second = await on.resume('bob', 'n1', 'bob-0', 'bob-1');
      expect(second?.changes).toMatchObject([{ userId: 'bob', session: { sessionId, partnerNode: 'n3' } }]);
      expect(await on.told('n3')).toMatchObject([{ userId: 'ann', session: { sessionId, partnerNode: 'n1' } }]);
      expect(await on.kindsOfFacts()).toEqual(['started']);
    });
  });

  describe('expire', () => {
    it('ends the session of a user who was away for too long, and forgets the user', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      await on.suspend('ann');
      await on.forgetReceived();
      expect(await on.store.expire(10)).toBe(0);
      const bob = { userId: 'bob', revision: 3, state: 'idle', ended: { sessionId, reason: 'timeout' } };
      expect(await on.told('n2')).toEqual([bob]);
      const ended = { kind: 'ended', sessionId, userA: 'ann', userB: 'bob', endReason: 'timeout', messages: null };
      expect((await on.facts())[1]).toMatchObject(ended);
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-1')).toBeUndefined();
      expect(await on.search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
    });

    it('leaves those alone who may still resume, and those who have resumed', async () => {
      await on.pairResumable('ann', 'bob');
      await on.suspend('ann', 'n1', { graceMs: 600_000 });
      await on.suspend('bob', 'n2');
      await on.resume('bob', 'n2', 'bob-0', 'bob-1');
      expect(await on.store.expire(10)).toBe(0);
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-1')).toMatchObject({ changes: [{ state: 'paired' }] });
      expect(await on.kindsOfFacts()).toEqual(['started']);
    });

    it('takes so many at a time, and says how many are left', async () => {
      for (const userId of ['u1', 'u2', 'u3', 'u4', 'u5']) {
        await on.searchResumable(userId);
        await on.suspend(userId);
      }
      expect(await on.store.expire(2)).toBe(3);
      expect(await on.store.expire(2)).toBe(1);
      expect(await on.store.expire(2)).toBe(0);
      expect(await on.store.expire(2)).toBe(0);
      expect(await on.search('ann')).toMatchObject([{ state: 'waiting' }]);
    });

    it('ends a session once when both were away for too long', async () => {
      await on.pairResumable('ann', 'bob');
      await on.suspend('ann');
      await on.suspend('bob', 'n2');
      expect(await on.store.expire(10)).toBe(0);
      expect(await on.kindsOfFacts()).toEqual(['started', 'ended']);
    });
  });

  describe('disown', () => {
    const graceMs = 1;

    it('makes those away who may resume, and removes the others', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      const plainSession = await on.pair('cat', 'dan');
      await on.forgetReceived();
      const reason = 'disconnect';
      expect(await on.store.disown('n1', ['ann', 'cat', 'nobody'], graceMs)).toEqual([]);
      const [bob, dan] = await on.told('n2');
      expect(bob).toMatchObject({ userId: 'bob', state: 'paired', session: { sessionId } });
      expect(bob).not.toHaveProperty('session.partnerNode');
      expect(dan).toMatchObject({ userId: 'dan', state: 'idle', ended: { sessionId: plainSession, reason } });
      expect((await on.facts())[2]).toMatchObject({ sessionId: plainSession, endReason: reason, messages: null });
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-1')).toMatchObject({ changes: [{ state: 'paired' }] });
    });

    it('removes those who said goodbye, also who might have resumed', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      await on.searchResumable('cat');
      const ended = { sessionId, reason: 'disconnect' };
      expect(await on.store.disown('n1', ['ann', 'cat'], 0)).toEqual([]);
      expect(await on.told('n2')).toMatchObject([{ userId: 'bob', state: 'idle', ended }]);
      expect((await on.facts())[1]).toMatchObject({ sessionId, endReason: 'disconnect' });
      expect(await on.resume('ann', 'n1', 'ann-0', 'ann-1')).toBeUndefined();
      expect(await on.search('dan')).toMatchObject([{ state: 'waiting' }]);
    });

    it('takes a plain user out of the queue', async () => {
      await on.search('ann');
      expect(await on.store.disown('n1', ['ann'], 0)).toEqual([]);
      expect(await on.search('bob')).toMatchObject([{ state: 'waiting' }]);
    });

    it('leaves those alone who have moved to another node', async () => {
      await on.pairResumable('ann', 'bob');
      await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      await on.forgetReceived();
      expect(await on.store.disown('n1', ['ann'], 0)).toEqual([]);
      expect(await on.search('ann', 'n3')).toMatchObject([{ state: 'paired', revision: 3 }]);
      expect(await on.told('n2')).toEqual([]);
    });

    it('makes a command do nothing that is still on its way', async () => {
      await on.pairResumable('ann', 'bob');
      const requestId = on.nextRequestId();
      await on.store.disown('n1', ['ann'], graceMs);
      expect(await on.leave('ann', 'n1', { requestId, forget: true })).toMatchObject([{ state: 'away' }]);
      const resumed = await on.resume('ann', 'n1', 'ann-0', 'ann-1');
      const before = { requestId: resumed?.requestId ?? 0 };
      expect(await on.leave('ann', 'n1', { ...before, forget: true })).toMatchObject([{ state: 'paired' }]);
      expect(await on.kindsOfFacts()).toEqual(['started']);
    });

    it('may be repeated', async () => {
      await on.pairResumable('ann', 'bob');
      await on.store.disown('n1', ['ann'], graceMs);
      await on.forgetReceived();
      expect(await on.store.disown('n1', ['ann'], graceMs)).toEqual([]);
      expect(await on.told('n2')).toEqual([]);
    });
  });
}
