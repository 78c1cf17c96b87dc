import type { KnownUser, UserChange } from '../src/index.ts';
import type { StoreBench } from './store-bench.ts';
import { knownFrom, nodes, StoreCommands } from './store-commands.ts';

/** What every {@link PairStore} guarantees when a node and the store may not agree any more. */
export function describeSync(open: () => Promise<StoreBench>): void {
  let on: StoreCommands;

  /** Pairs ann on n1 with bob on n2, both resumable. @returns what their nodes know of them */
  const paired = async () => {
    const sessionId = await on.pairResumable('ann', 'bob');
    const [ann] = await on.search('ann');
    const [bob] = await on.search('bob', 'n2');
    const requestId = on.nextRequestId();
    const known = (change: UserChange | undefined, token: string) => knownFrom(change, { requestId, token });
    return { sessionId, ann: known(ann, 'ann-0'), bob: known(bob, 'bob-0') };
  };
  const idle = (userId: string, revision: number): KnownUser => ({ userId, revision, requestId: 99, state: 'idle' });
  /** What the store says of a user, without what only the node knows. */
  const saidOf = ({ requestId: _, token: __, parted: ___, ...said }: KnownUser) => said;
  const loseData = async () => {
    await on.bench.loseData();
    for (const nodeId of nodes) await on.register(nodeId);
    await on.forgetReceived();
  };

  beforeEach(async () => {
    on = await StoreCommands.open(open);
  });

  afterEach(() => on.close());

  describe('sync', () => {
    it('says what the store has when both agree, and changes nothing', async () => {
      const { ann, bob } = await paired();
      expect(await on.store.sync('n1', [ann])).toEqual([saidOf(ann)]);
      expect(await on.store.sync('n2', [bob])).toEqual([saidOf(bob)]);
      expect(await on.told('n2')).toEqual([]);
      expect(await on.kindsOfFacts()).toEqual(['started']);
    });

    it('answers in the order of the users, and nothing for none', async () => {
      await on.search('cat', 'n1');
      const said = await on.store.sync('n1', [
        idle('zoe', 0),
        knownFrom((await on.search('cat'))[0], { requestId: 1 }),
      ]);
      expect(said.map(({ userId }) => userId)).toEqual(['zoe', 'cat']);
      expect(await on.store.sync('n1', [])).toEqual([]);
    });

    it('tells a node what it missed', async () => {
      const { ann } = await paired();
      await on.leave('bob', 'n2');
      expect(await on.store.sync('n1', [ann])).toEqual([{ userId: 'ann', revision: 3, state: 'idle' }]);
      expect(await on.kindsOfFacts()).toEqual(['started', 'ended']);
    });

    it('brings nobody back who moved to another node and was forgotten there', async () => {
      await on.searchResumable('ann');
      const known = knownFrom((await on.search('ann'))[0], { requestId: on.nextRequestId(), token: 'ann-0' });
      await on.resume('ann', 'n2', 'ann-0', 'ann-1');
      await on.leave('ann', 'n2', { forget: true });
      expect(await on.store.sync('n1', [known])).toEqual([
        { userId: 'ann', revision: known.revision + 1, state: 'gone' },
      ]);
      expect(await on.search('bob')).toMatchObject([{ state: 'waiting' }]);
      await on.store.disown('n1', ['ann'], 0);
    });

    it('restores somebody whose entry was lost, though they left and came again', async () => {
      await on.search('ann');
      const [ann] = await on.search('ann');
      await on.leave('ann', 'n1', { forget: true });
      expect(await on.store.sync('n1', [knownFrom(ann, { requestId: on.nextRequestId() })])).toMatchObject([
        { userId: 'ann', state: 'waiting' },
      ]);
    });

    it('tells a node that a partner has moved, or is away', async () => {
      const { ann } = await paired();
      await on.resume('bob', 'n3', 'bob-0', 'bob-1');
      expect(await on.store.sync('n1', [ann])).toMatchObject([{ session: { partnerNode: 'n3' } }]);
      await on.suspend('bob', 'n3');
      const [away] = await on.store.sync('n1', [ann]);
      expect(away).toMatchObject({ userId: 'ann', state: 'paired' });
      expect(away).not.toHaveProperty('session.partnerNode');
    });

    it('tells a node that a user lives elsewhere, or is away', async () => {
      const { ann, bob } = await paired();
      await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      await on.suspend('bob', 'n2');
      expect(await on.store.sync('n1', [ann])).toMatchObject([{ userId: 'ann', state: 'gone' }]);
      expect(await on.store.sync('n2', [bob])).toMatchObject([{ userId: 'bob', state: 'away' }]);
      expect(await on.search('ann', 'n3')).toMatchObject([{ state: 'paired' }]);
    });

    it.each(['leaves', 'skips', 'is away', 'is disowned', 'comes back'] as const)(
      'tells a node that has missed the move of a user, also after the partner there %s',
      async what => {
        const sessionId = await on.pairResumable('bob', 'ann', 'n1');
        const [ann] = await on.search('ann');
        await on.resume('ann', 'n2', 'ann-0', 'ann-1');
        const heard = {
          leaves: () => on.leave('bob'),
          skips: () => on.search('bob', 'n1', { skip: { sessionId, messages: 1 } }),
          'is away': () => on.suspend('bob'),
          'is disowned': () => on.store.disown('n1', ['bob'], 0),
          'comes back': async () => (await on.resume('bob', 'n1', 'bob-0', 'bob-1'))?.changes ?? [],
        };
        const newest = (await heard[what]()).find(({ userId }) => userId === 'ann') ?? ann;
        const known = knownFrom(newest, { requestId: on.nextRequestId(), token: 'ann-0' });
        expect(await on.store.sync('n1', [known])).toMatchObject([{ userId: 'ann', state: 'gone' }]);
        expect(await on.search('ann', 'n2')).not.toMatchObject([{ state: 'gone' }]);
      },
    );

    it('does not make a user whom neither has', async () => {
      expect(await on.store.sync('n1', [idle('ann', 0)])).toEqual([{ userId: 'ann', revision: 0, state: 'idle' }]);
      expect((await on.store.usersOf('n1', '0')).userIds).toEqual([]);
    });

    it('takes over what the node knows when it has lost everything', async () => {
      const { sessionId, ann, bob } = await paired();
      await loseData();
      const unconfirmed = true;
      expect(await on.store.sync('n1', [ann])).toEqual([{ ...saidOf(ann), unconfirmed }]);
      expect(await on.store.sync('n1', [ann])).toEqual([{ ...saidOf(ann), unconfirmed }]);
      expect(await on.store.sync('n2', [bob])).toEqual([saidOf(bob)]);
      expect(await on.told('n1')).toEqual([{ ...saidOf(ann), revision: ann.revision + 1 }]);
      expect(await on.store.sync('n1', [ann])).toEqual([{ ...saidOf(ann), revision: ann.revision + 1 }]);
      await on.forgetReceived();
      await on.leave('bob', 'n2', { requestId: 1000 });
      const ended = { sessionId, reason: 'end' };
      expect(await on.told('n1')).toEqual([{ userId: 'ann', revision: ann.revision + 2, state: 'idle', ended }]);
      const facts = await on.facts();
      expect(facts.map(fact => fact.kind)).toEqual(['started', 'started', 'ended']);
      expect(facts[1]).toEqual(facts[0]);
    });

    it('tells both sides where the other is, if one came back before the other was restored', async () => {
      const { ann, bob } = await paired();
      await loseData();
      await on.store.sync('n1', [ann]);
      expect(await on.resume('ann', 'n3', 'ann-0', 'ann-1')).toMatchObject({ changes: [{ state: 'paired' }] });
      await on.forgetReceived();
      expect(await on.store.sync('n2', [bob])).toMatchObject([
        { revision: bob.revision + 1, state: 'paired', session: { partnerNode: 'n3' } },
      ]);
      expect(await on.told('n3')).toMatchObject([
        { userId: 'ann', revision: ann.revision + 2, state: 'paired', session: { partnerNode: 'n2' } },
      ]);
    });

    it('takes over requests, tokens and the last partner', async () => {
      const { ann } = await paired();
      await on.leave('bob', 'n2');
      const [known] = await on.search('ann');
      const [again] = await on.search('cat', 'n3');
      expect(known).toMatchObject({ state: 'waiting' });
      expect(again).toMatchObject({ state: 'paired' });
      await on.leave('cat', 'n3');
      await loseData();
      const after = { requestId: 50, token: 'ann-7', parted: 'bob' };
      await on.store.sync('n1', [{ ...after, userId: 'ann', revision: ann.revision + 4, state: 'waiting' }]);
      expect(await on.leave('ann', 'n1', { requestId: 50 })).toMatchObject([{ state: 'waiting' }]);
      // Another one waits too, so the last partner is not drawn.
      await on.lapse('n1');
      await on.search('dan', 'n3');
      await on.register('n1');
      expect((await on.search('bob', 'n2'))[0]).toMatchObject({ session: { partnerId: 'dan' } });
      expect(await on.resume('ann', 'n2', 'ann-0', 'ann-8')).toBeUndefined();
      expect(await on.resume('ann', 'n2', 'ann-7', 'ann-8')).toMatchObject({ requestId: 50 });
    });

    it('puts a waiting user into the queue again', async () => {
      const [ann] = await on.search('ann');
      await loseData();
      const known = knownFrom(ann, { requestId: 9 });
      expect(await on.store.sync('n1', [known])).toEqual([ann]);
      expect((await on.search('bob', 'n2'))[0]).toMatchObject({ state: 'paired', session: { partnerId: 'ann' } });
      expect(await on.told('n1')).toMatchObject([{ userId: 'ann', state: 'paired', revision: 2 }]);
    });

    it('takes over a later state when it was set back: out of the queue', async () => {
      await on.search('ann');
      expect(await on.store.sync('n1', [idle('ann', 2)])).toEqual([{ userId: 'ann', revision: 2, state: 'idle' }]);
      expect(await on.search('bob', 'n2')).toMatchObject([{ state: 'waiting' }]);
    });

    it('takes over a later state when it was set back: ends the session that was over', async () => {
      const { sessionId } = await paired();
      expect(await on.store.sync('n1', [idle('ann', 3)])).toEqual([{ userId: 'ann', revision: 3, state: 'idle' }]);
      const ended = { sessionId, reason: 'lost' };
      expect(await on.told('n2')).toEqual([{ userId: 'bob', revision: 2, state: 'idle', ended }]);
      expect((await on.facts())[1]).toMatchObject({ kind: 'ended', sessionId, endReason: 'lost', messages: null });
    });

    it('takes over a later revision of the same state, so that what follows is newer for the node', async () => {
      const { sessionId, ann } = await paired();
      // The partner has moved twice since.
      const known = { ...ann, revision: ann.revision + 2 };
      expect(await on.store.sync('n1', [known])).toEqual([saidOf(known)]);
      await on.forgetReceived();
      await on.leave('bob', 'n2');
      const ended = { sessionId, reason: 'end' };
      expect(await on.told('n1')).toEqual([{ userId: 'ann', revision: known.revision + 1, state: 'idle', ended }]);
    });

    it('takes over a later revision of a waiting user, who keeps the place', async () => {
      const [ann] = await on.search('ann');
      await on.lapse('n1');
      await on.search('bob', 'n2');
      await on.register('n1');
      const known = knownFrom(ann, { requestId: 9, revision: 7 });
      expect(await on.store.sync('n1', [known])).toEqual([saidOf(known)]);
      jest.spyOn(Math, 'random').mockReturnValue(0);
      const [cat] = await on.search('cat', 'n3');
      jest.restoreAllMocks();
      expect(cat).toMatchObject({ session: { partnerId: 'ann' } });
    });

    describe('after a move was lost', () => {
      /** What a node knows of a user who came from another node, or from being away, before the store forgot that. */
      const movedHere = (known: KnownUser, moves = 1): KnownUser => ({
        ...known,
        revision: known.revision + moves,
        token: `${known.userId}-1`,
      });
      const gone = (userId: string, revision: number) => ({ userId, revision, state: 'gone' });

      it('gives a user back to the node that they moved to, and tells the node before and the partner', async () => {
        const { ann, bob } = await paired();
        const moved = movedHere(ann);
        const revision = moved.revision + 1;
        expect(await on.store.sync('n3', [moved])).toEqual([{ ...saidOf(ann), revision }]);
        expect(await on.told('n1')).toEqual([gone('ann', revision)]);
        expect(await on.told('n2')).toMatchObject([
          { userId: 'bob', revision: bob.revision + 1, session: { partnerNode: 'n3' } },
        ]);
        expect((await on.store.usersOf('n3', '0')).userIds).toEqual(['ann']);
        expect(await on.store.sync('n1', [ann])).toEqual([gone('ann', revision)]);
        expect(await on.kindsOfFacts()).toEqual(['started']);
        expect(await on.resume('ann', 'n1', 'ann-0', 'ann-2')).toBeUndefined();
        expect(await on.resume('ann', 'n1', 'ann-1', 'ann-2')).toMatchObject({ changes: [{ state: 'paired' }] });
      });

      it('gives the user to the node that knows more, also when the other one asks first', async () => {
        const { ann } = await paired();
        const moved = movedHere(ann);
        expect(await on.store.sync('n1', [ann])).toEqual([saidOf(ann)]);
        expect(await on.store.sync('n3', [moved])).toMatchObject([{ state: 'paired', revision: moved.revision + 1 }]);
        expect(await on.told('n1')).toEqual([gone('ann', moved.revision + 1)]);
      });

      it.each([
        ['n1', 'n3'],
        ['n3', 'n1'],
      ])('gives the user to the node that knows more when two moves were lost: %s asks before %s', async (...order) => {
        // From n2 to n1, and from there to n3.
        await on.searchResumable('ann', 'n2');
        await on.forgetReceived();
        const known = knownFrom((await on.search('ann', 'n2'))[0], { requestId: 9, token: 'ann-0' });
        for (const nodeId of order) await on.store.sync(nodeId, [movedHere(known, nodeId === 'n3' ? 2 : 1)]);
        expect(await on.search('ann', 'n3', { requestId: 50 })).toMatchObject([{ state: 'waiting' }]);
        expect(await on.search('ann', 'n1', { requestId: 50 })).toMatchObject([{ state: 'gone' }]);
        const last = (await on.told('n1')).at(-1);
        if (order[0] === 'n1') expect(last).toMatchObject({ state: 'gone' });
        expect((await on.store.sync('n1', [movedHere(known)]))[0]).toMatchObject({ state: 'gone' });
      });

      it('gives the user to one node for good when both know the same revision', async () => {
        const { ann } = await paired();
        // The partner has done something since.
        expect(await on.store.sync('n3', [ann])).toMatchObject([{ state: 'paired' }]);
        expect(await on.told('n1')).toEqual([gone('ann', ann.revision + 1)]);
        expect(await on.store.sync('n1', [ann])).toEqual([gone('ann', ann.revision + 1)]);
      });

      it('gives a user back who was away before', async () => {
        const { sessionId, ann } = await paired();
        await on.suspend('ann');
        await on.forgetReceived();
        const moved = movedHere(ann, 2);
        expect(await on.store.sync('n3', [moved])).toMatchObject([{ state: 'paired', revision: moved.revision + 1 }]);
        expect(await on.told('n1')).toEqual([]);
        expect(await on.told('n2')).toMatchObject([{ session: { sessionId, partnerNode: 'n3' } }]);
        expect(await on.register('n1')).toMatchObject({ due: 0 });
        expect(await on.search('ann', 'n3', { requestId: 50 })).toMatchObject([{ state: 'paired' }]);
      });

      it('gives a user back who was away in the queue, with the same place', async () => {
        const [ann] = await on.searchResumable('ann');
        await on.suspend('ann');
        await on.lapse('n2');
        await on.search('bob', 'n2');
        await on.register('n2');
        await on.store.sync('n3', [movedHere(knownFrom(ann, { requestId: 9 }), 2)]);
        jest.spyOn(Math, 'random').mockReturnValue(0);
        const [cat] = await on.search('cat');
        jest.restoreAllMocks();
        expect(cat).toMatchObject({ session: { partnerId: 'ann', partnerNode: 'n3' } });
      });

      it('ends the session that was over', async () => {
        const { sessionId } = await paired();
        expect(await on.store.sync('n3', [idle('ann', 4)])).toEqual([{ userId: 'ann', revision: 5, state: 'idle' }]);
        const ended = { sessionId, reason: 'lost' };
        expect(await on.told('n1')).toEqual([gone('ann', 5)]);
        expect(await on.told('n2')).toEqual([{ userId: 'bob', revision: 2, state: 'idle', ended }]);
        expect((await on.facts())[1]).toMatchObject({ kind: 'ended', sessionId, endReason: 'lost' });
      });
    });

    it('leaves a session unconfirmed that the partner is not in', async () => {
      const { ann } = await paired();
      await loseData();
      await on.store.sync('n2', [idle('bob', 9)]);
      expect(await on.store.sync('n1', [ann])).toEqual([{ ...saidOf(ann), unconfirmed: true }]);
      expect(await on.leave('ann', 'n1', { requestId: 500, reason: 'timeout' })).toEqual([
        { userId: 'ann', revision: ann.revision + 1, state: 'idle' },
      ]);
      expect(await on.search('bob', 'n2', { requestId: 500 })).toMatchObject([{ state: 'waiting' }]);
    });
  });

  describe('usersOf', () => {
    it('names thousands of users, some at a time', async () => {
      const users = Array.from({ length: 3000 }, (_, i) => `u${i}`);
      await on.store.sync(
        'n1',
        [...users].map(userId => idle(userId, 1)),
      );
      await on.search('ann', 'n2');
      const named = new Set<string>();
      let cursor = '0';
      do {
        const { userIds, next } = await on.store.usersOf('n1', cursor);
        for (const userId of userIds) named.add(userId);
        cursor = next;
      } while (cursor !== '0');
      expect([...named].sort()).toEqual(users.sort());
    });

    it('names nobody who left, was suspended or was disowned', async () => {
      for (const userId of ['u1', 'u2', 'u3']) await on.searchResumable(userId);
      await on.leave('u1', 'n1', { forget: true });
      await on.suspend('u2');
      await on.store.disown('n1', ['u3'], 0);
      expect(await on.store.usersOf('n1', '0')).toEqual({ userIds: [], next: '0' });
    });

    it('forgets a user who has moved when the node before is told to let go', async () => {
      await on.searchResumable('ann');
      await on.resume('ann', 'n2', 'ann-0', 'ann-1');
      await on.store.disown('n1', ['ann'], 0);
      expect((await on.store.usersOf('n1', '0')).userIds).toEqual([]);
      expect((await on.store.usersOf('n2', '0')).userIds).toEqual(['ann']);
    });
  });
}
