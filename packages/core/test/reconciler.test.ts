import { unavailable } from './held-store.ts';
import { graceMs, leaseMs, settled, TestCluster, type TestNode } from './test-cluster.ts';

let cluster: TestCluster;
let one: TestNode;
let two: TestNode;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  cluster = new TestCluster();
  [one, two] = [await cluster.startNode(), await cluster.startNode()];
});

afterEach(async () => {
  for (const { store } of cluster.nodes) store.away = false;
  await cluster.stop();
  jest.useRealTimers();
});

const beats = (count = 1) => jest.advanceTimersByTimeAsync((count * leaseMs) / 4);

/** Notices to the node are lost while this runs. */
async function deaf(node: TestNode, act: () => Promise<unknown>): Promise<void> {
  cluster.channels.hold(node.lease.nodeId);
  await act();
  cluster.channels.forget(node.lease.nodeId);
}

/** The node gives a command whose reply is lost. */
async function unheard(node: TestNode, call: 'search' | 'leave', act: () => Promise<unknown>): Promise<void> {
  const held = node.store.holdReply(call);
  const done = act();
  await held.came;
  held.release(unavailable());
  await expect(done).rejects.toMatchObject({ code: 'UNAVAILABLE' });
}

describe('a notice that was lost', () => {
  it('of a partner who left is found when the node learns of a gap', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    await deaf(one, () => two.service.endChat('bob'));
    expect(one.service.stateOf('ann')).toEqual({ state: 'paired', sessionId });
    cluster.channels.miss(one.lease.nodeId);
    // At once, and not at the next heartbeat.
    await jest.advanceTimersByTimeAsync(leaseMs / 10);
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
  });

  it('of a match is found too, for all users of a node, in batches', async () => {
    const count = 250;
    const random = jest.spyOn(one.store, 'sync');
    await deaf(one, async () => {
      for (let i = 0; i < count; i++) await cluster.pair([one, `a${i}`], [two, `b${i}`]);
    });
    expect(one.service.census()).toMatchObject({ waiting: count });
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    expect(one.service.census()).toMatchObject({ paired: count, sessions: count });
    expect(one.clients.events('a7')).toEqual(['matched']);
    for (const [, users] of random.mock.calls) expect(users.length).toBeLessThanOrEqual(100);
  });

  it('of a match, and of its end, leaves the user waiting, as the user believes to be', async () => {
    one.service.connect('ann');
    two.service.connect('bob');
    await one.service.search('ann');
    await deaf(one, async () => {
      await two.service.search('bob');
      await two.service.endChat('bob');
    });
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    expect(one.clients.of('ann')).toEqual([]);
    expect(one.service.stateOf('ann')).toEqual({ state: 'waiting' });
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
  });

  it.each(['is not carried out', 'is carried out, and nobody hears of it'])(
    'of a match, and of its end, leaves the user waiting, also if the search for that %s',
    async how => {
      one.service.connect('ann');
      two.service.connect('bob');
      await one.service.search('ann');
      await deaf(one, async () => {
        await two.service.search('bob');
        await two.service.endChat('bob');
      });
      const held = how === 'is not carried out' ? one.store.holdCommand('search') : one.store.holdReply('search');
      cluster.channels.miss(one.lease.nodeId);
      await beats();
      await held.came;
      held.release(unavailable());
      await beats(4);
      expect(one.clients.of('ann')).toEqual([]);
      expect(one.service.stateOf('ann')).toEqual({ state: 'waiting' });
      expect(await two.service.search('bob')).toMatchObject({ state: 'paired' });
      expect(one.clients.events('ann')).toEqual(['matched']);
    },
  );

  it('of a match, and of its end, does not make a user wait who stopped waiting meanwhile', async () => {
    one.service.connect('ann');
    two.service.connect('bob');
    await one.service.search('ann');
    await deaf(one, async () => {
      await two.service.search('bob');
      await two.service.endChat('bob');
    });
    const held = one.store.holdReply('sync');
    cluster.channels.miss(one.lease.nodeId);
    await jest.advanceTimersByTimeAsync(leaseMs / 10);
    await held.came;
    const ended = one.service.endChat('ann');
    held.release();
    await ended;
    await beats();
    expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
  });

  it('of a partner who is away, and of one who is back, is found', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob'], 'resuming');
    await deaf(one, () => two.service.disconnect('bob', 'lost'));
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    expect(one.clients.of('ann')).toEqual([
      ['missed', { sessionId }],
      ['partner_away', { sessionId, graceMs }],
    ]);
  });

  it('is looked for again when the store goes away meanwhile', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    await deaf(one, () => two.service.endChat('bob'));
    jest.spyOn(one.store, 'sync').mockRejectedValueOnce(unavailable());
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    expect(one.warnings).toContain('The store could not be asked about the users of this node. It will be.');
    await beats();
    expect(one.clients.events('ann')).toEqual(['partner_left']);
  });

  it('is not looked for where nothing is in doubt', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    const before = one.store.calls.length;
    await beats(8);
    expect(one.store.calls).toHaveLength(before);
  });

  it('that a user lives elsewhere closes the connection here', async () => {
    await one.service.resume('ann', undefined);
    const token = one.clients.last('ann', 'welcome')?.token;
    await one.service.search('ann');
    await deaf(one, () => two.service.resume('x', token));
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    expect(one.clients.replacedUsers).toEqual(['ann']);
    expect(one.service.present).toEqual([]);
    expect(await cluster.homeOf('ann')).toBe(two.lease.nodeId);
  });

  it('that a user is away closes the connection here in such a way that the client comes back', async () => {
    await one.service.resume('ann', undefined);
    await one.service.search('ann');
    await deaf(one, () => cluster.store.disown(one.lease.nodeId, ['ann'], graceMs));
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    expect([one.clients.closedUsers, one.clients.replacedUsers]).toEqual([['ann'], []]);
  });
});

describe('a command that failed', () => {
  it('search: is taken back if it was carried out, for the client was told that it was not', async () => {
    one.service.connect('ann');
    await unheard(one, 'search', () => one.service.search('ann'));
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
    await beats();
    expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
    expect(one.clients.of('ann')).toEqual([]);
    two.service.connect('bob');
    expect(await two.service.search('bob')).toEqual({ state: 'waiting' });
    const before = one.store.calls.length;
    await beats(4);
    expect(one.store.calls).toHaveLength(before);
  });

  it('search: tells the match if there was one', async () => {
    two.service.connect('bob');
    await two.service.search('bob');
    one.service.connect('ann');
    await unheard(one, 'search', () => one.service.search('ann'));
    await beats();
    expect(one.clients.events('ann')).toEqual(['matched']);
    await one.service.send('ann', 'hello');
    expect(two.clients.texts('bob')).toEqual(['hello']);
  });

  it('search: tells the match that came before it was taken back', async () => {
    one.service.connect('ann');
    await unheard(one, 'search', () => one.service.search('ann'));
    two.service.connect('bob');
    const held = one.store.holdCommand('leave');
    await beats();
    await held.came;
    await two.service.search('bob');
    held.release();
    await beats();
    // The client heard of the match, and so hears of its end.
    expect(one.clients.events('ann')).toEqual(['matched', 'partner_left']);
    expect(two.clients.events('bob')).toEqual(['matched', 'partner_left']);
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
    expect(await cluster.ended()).toHaveLength(1);
  });

  it('search: is asked about only when it can have no effect any more', async () => {
    one.store.settleMs = leaseMs / 2;
    one.service.connect('ann');
    const late = one.store.makeLate('search');
    await expect(one.service.search('ann')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await beats();
    late.release();
    await settled();
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
    await beats(2);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
  });

  it('search: is not taken back from who asked again and got it', async () => {
    one.service.connect('ann');
    await unheard(one, 'search', () => one.service.search('ann'));
    expect(await one.service.search('ann')).toEqual({ state: 'waiting' });
    await beats(4);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
  });

  it('search: is not taken back from who is just asking again', async () => {
    one.service.connect('ann');
    await unheard(one, 'search', () => one.service.search('ann'));
    const [sync, search] = [one.store.holdReply('sync'), one.store.holdReply('search')];
    await beats();
    await sync.came;
    const again = one.service.search('ann');
    await search.came;
    sync.release();
    await settled();
    search.release();
    expect(await again).toEqual({ state: 'waiting' });
    await beats(4);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
    expect(one.service.stateOf('ann')).toEqual({ state: 'waiting' });
  });

  it('search of one who waits already: the waiting goes on', async () => {
    one.service.connect('ann');
    await one.service.search('ann');
    one.store.away = true;
    await expect(one.service.search('ann')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    one.store.away = false;
    await beats(4);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
    expect(one.service.stateOf('ann')).toEqual({ state: 'waiting' });
  });

  it('skip: who was told that it failed is told what became of it', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    await unheard(one, 'search', () => one.service.skip('ann'));
    expect(two.clients.events('bob')).toEqual(['partner_left']);
    await beats();
    expect(one.clients.of('ann')).toMatchObject([['partner_left', { sessionId }]]);
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
    expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
  });

  it('skip: is taken back though everything is compared at the same time', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    const held = one.store.holdReply('search');
    const skip = one.service.skip('ann');
    await held.came;
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    held.release(unavailable());
    await expect(skip).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await beats();
    expect(one.clients.events('ann')).toEqual(['partner_left']);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
  });

  it('end_chat: the same', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    await unheard(one, 'leave', () => one.service.endChat('ann'));
    await beats();
    expect(one.clients.of('ann')).toMatchObject([['partner_left', { sessionId }]]);
  });

  it('of a user who left is forgotten', async () => {
    one.service.connect('ann');
    await unheard(one, 'search', () => one.service.search('ann'));
    await one.service.disconnect('ann');
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    await beats();
    expect(one.store.calls).not.toContain('sync');
  });
});

describe('users whom the registry has for a node that does not have them', () => {
  it('are found and taken from it: away who may resume, gone who may not', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob'], 'resuming');
    const other = await cluster.pair([one, 'cid'], [two, 'dan']);
    // The node forgets them, as if their connections had ended without a word.
    jest.spyOn(one.store, 'suspend').mockResolvedValueOnce([]);
    jest.spyOn(one.store, 'leave').mockResolvedValueOnce([]);
    await one.service.disconnect('ann', 'lost');
    await one.service.disconnect('cid');
    expect(two.clients.of('bob')).toEqual([]);
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    expect(two.clients.of('bob')).toEqual([['partner_away', { sessionId, graceMs }]]);
    expect(two.clients.of('dan')).toEqual([['partner_left', { sessionId: other, reason: 'disconnect' }]]);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'away' });
    expect(await cluster.registered('cid')).toEqual({ state: 'idle', revision: 0 });
  });

  it('are left alone if they came back', async () => {
    await one.service.resume('ann', undefined);
    const token = one.clients.last('ann', 'welcome')?.token;
    await one.service.search('ann');
    one.store.away = true;
    await one.service.disconnect('ann', 'lost');
    one.store.away = false;
    await one.service.resume('x', token);
    await beats(2);
    expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
    expect(one.store.calls).not.toContain('disown');
  });

  it('are left alone while they are coming back', async () => {
    await one.service.resume('ann', undefined);
    const token = one.clients.last('ann', 'welcome')?.token;
    await one.service.search('ann');
    one.store.away = true;
    await one.service.disconnect('ann', 'lost');
    one.store.away = false;
    const held = one.store.holdReply('resume');
    const resume = one.service.resume('x', token);
    await held.came;
    await beats(2);
    expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
    held.release();
    await resume;
    await beats(2);
    expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
    expect(one.clients.closedUsers).toEqual([]);
    expect(one.store.calls).not.toContain('disown');
  });

  it('are taken from it when they left in the moment in which they were compared', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    jest.spyOn(one.store, 'leave').mockRejectedValueOnce(unavailable());
    await expect(one.service.endChat('ann')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const held = one.store.holdCommand('sync');
    await beats();
    await held.came;
    await one.service.disconnect('ann');
    held.release();
    await beats(2);
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    expect(two.clients.events('bob')).toEqual(['partner_left']);
  });

  it('are told once to the log, however many', async () => {
    for (let i = 0; i < 20; i++) one.service.connect(`u${i}`);
    for (let i = 0; i < 20; i++) await one.service.search(`u${i}`);
    one.store.away = true;
    for (let i = 0; i < 20; i++) await one.service.disconnect(`u${i}`);
    expect(one.warnings).toEqual(['The store cannot be told that users left. It will be.']);
    one.store.away = false;
    await beats();
    for (let i = 0; i < 20; i++) expect(await cluster.registered(`u${i}`)).toEqual({ state: 'idle', revision: 0 });
  });
});

describe('a store that lost its data', () => {
  it('gets back what the nodes know, and the chats go on', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    one.service.connect('cid');
    await one.service.search('cid');
    const nodeIds = [one, two].map(({ lease }) => lease.nodeId);
    cluster.store.loseData();
    await beats(2);
    expect([one, two].map(({ lease }) => lease.nodeId)).toEqual(nodeIds);
    expect([one.clients.closed, two.clients.closed]).toEqual([0, 0]);
    await beats(12);
    await one.service.send('ann', 'hello');
    expect(two.clients.texts('bob')).toEqual(['hello']);
    expect([one.clients.events('ann'), two.clients.events('bob')]).toEqual([[], ['message']]);
    expect(await cluster.ended()).toEqual([]);
    two.service.connect('dan');
    expect((await two.service.search('dan')).state).toBe('paired');
    await two.service.endChat('bob');
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'end' }]]);
    expect(await cluster.ended()).toMatchObject([{ sessionId, userA: 'ann', userB: 'bob' }]);
  });

  it('lets who can resume resume with the same token', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob'], 'resuming');
    await one.service.disconnect('bob', 'lost');
    await one.service.resume('eve', undefined);
    const token = one.clients.last('eve', 'welcome')?.token;
    await one.service.search('eve');
    cluster.store.loseData();
    await beats(2);
    await two.service.resume('x', token);
    expect(two.clients.last('eve', 'welcome')).toMatchObject({ resumed: true, state: 'waiting' });
    expect(sessionId).toBeDefined();
  });

  it('answers UNAVAILABLE to who asks before that, and is asked at once', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    cluster.store.loseData();
    await expect(one.service.skip('ann')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await jest.advanceTimersByTimeAsync(leaseMs / 10);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'paired' });
    expect(await one.service.skip('ann')).toEqual({ state: 'waiting' });
  });

  it('ends the sessions whose other side nobody knows, after a lease', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    await one.service.send('ann', 'x');
    cluster.channels.close(two.lease.nodeId);
    two.store.away = true;
    cluster.store.loseData();
    await beats(4);
    expect(one.clients.of('ann')).toEqual([]);
    await beats(2);
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'timeout' }]]);
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
    expect(await cluster.ended()).toMatchObject([{ sessionId, endReason: 'timeout', messages: 1 }]);
  });

  it('keeps the sessions whose other side comes a little later', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    two.store.away = true;
    cluster.store.loseData();
    await beats(3);
    two.store.away = false;
    await beats(16);
    expect([one.clients.of('ann'), two.clients.of('bob')]).toEqual([[], []]);
    expect(await cluster.ended()).toEqual([]);
  });

  it('ends such a session also when its user has moved meanwhile', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob'], 'resuming');
    // Only ann can come back with a token that the registry gets back from her node.
    await one.service.endChat('ann');
    await one.service.disconnect('ann', 'left');
    await one.service.resume('ann', undefined);
    const token = one.clients.last('ann', 'welcome')?.token;
    await one.service.search('ann');
    const next = (await two.service.search('bob')).sessionId;
    expect(next).not.toBe(sessionId);
    await two.service.disconnect('bob', 'lost');
    cluster.store.loseData();
    await beats(2);
    await two.service.resume('x', token);
    expect(two.clients.last('ann', 'welcome')).toMatchObject({ session: { sessionId: next, partnerAway: true } });
    await beats(12);
    expect(two.clients.of('ann').at(-1)).toEqual(['partner_left', { sessionId: next, reason: 'timeout' }]);
    expect(two.service.stateOf('ann')).toEqual({ state: 'idle' });
  });

  it('does not let the end of one session be the end of the next one', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    two.store.away = true;
    cluster.store.loseData();
    await beats(3);
    // Just before the time is over, the user finds somebody else, and the reply takes long.
    one.service.connect('cid');
    await one.service.search('cid');
    const held = one.store.holdReply('search');
    const skip = one.service.skip('ann');
    await held.came;
    await beats(4);
    held.release();
    const { sessionId, state } = await skip;
    await beats(8);
    expect(state).toBe('paired');
    expect(one.service.stateOf('ann')).toEqual({ state, sessionId });
    expect(one.clients.events('cid')).toEqual(['matched']);
  });

  it('tries the end again when the store is away', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    two.store.away = true;
    cluster.store.loseData();
    await beats(4);
    jest.spyOn(one.store, 'leave').mockRejectedValueOnce(unavailable());
    await beats(2);
    expect(one.clients.of('ann')).toEqual([]);
    await beats(12);
    expect(one.clients.events('ann')).toEqual(['partner_left']);
  });
});

describe('a node that loses its lease while it compares', () => {
  it('forgets what it doubted', async () => {
    one.service.connect('ann');
    await unheard(one, 'search', () => one.service.search('ann'));
    await cluster.store.releaseLease(one.lease.nodeId);
    await beats(2);
    expect(one.clients.closed).toBe(1);
    expect(one.service.ready).toBe(true);
    one.service.connect('bob');
    expect(await one.service.search('bob')).toEqual({ state: 'waiting' });
    await beats(6);
    expect(await cluster.registered('bob')).toMatchObject({ state: 'waiting' });
  });
});
