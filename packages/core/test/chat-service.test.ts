import { ChatError, LeaseLost, type SessionEnded } from '../src/index.ts';
import { newResumeToken } from '../src/resume-token.ts';
import { type AnsweringService, graceMs, leaseMs, settled, TestCluster, type TestNode } from './test-cluster.ts';

let cluster: TestCluster;
let one: TestNode;
let two: TestNode;

beforeEach(async () => {
  cluster = new TestCluster();
  [one, two] = [await cluster.startNode(), await cluster.startNode()];
});

afterEach(async () => {
  for (const { store } of cluster.nodes) store.away = false;
  await cluster.stop();
});

const unavailable = { code: 'UNAVAILABLE' };
const notInChat = { code: 'NOT_IN_CHAT' };

/** Pairs two new users, of whom the first had waited. @returns the session's id */
async function pair(ann: [TestNode, string], bob: [TestNode, string]): Promise<string> {
  for (const [node, userId] of [ann, bob]) node.service.connect(userId);
  await ann[0].service.search(ann[1]);
  const { sessionId } = await bob[0].service.search(bob[1]);
  expect(sessionId).toBeDefined();
  for (const { clients } of cluster.nodes) clients.forgetAll();
  return sessionId ?? '';
}

async function ended(): Promise<SessionEnded[]> {
  return (await cluster.facts()).filter(fact => fact.kind === 'ended');
}

/** A command of a user, by the name of the method that gives it. */
function give(service: AnsweringService, command: 'search' | 'skip' | 'endChat', userId: string) {
  return service[command](userId);
}

describe('search', () => {
  it('makes the first user wait and pairs the second one with the first, on one node or on two', async () => {
    for (const [first, second] of [
      [one, one],
      [one, two],
    ] as const) {
      const [ann, bob] = [`ann-${second === two}`, `bob-${second === two}`];
      first.service.connect(ann);
      second.service.connect(bob);
      expect(await first.service.search(ann)).toEqual({ state: 'waiting' });
      expect(first.clients.of(ann)).toEqual([]);

      const reply = await second.service.search(bob);
      expect(reply).toEqual({ state: 'paired', sessionId: expect.any(String) });
      const matched = [['matched', { sessionId: reply.sessionId, startedAt: expect.any(Number) }]];
      expect(first.clients.of(ann)).toEqual(matched);
      expect(second.clients.of(bob)).toEqual(matched);
      expect(await cluster.facts()).toMatchObject([
        { kind: 'started', sessionId: reply.sessionId, userA: ann, userB: bob },
      ]);
      // A partner's ids never reach a client.
      expect(JSON.stringify(matched)).not.toMatch(/ann|bob/);
      await first.service.endChat(ann);
      await cluster.outbox.remove((await cluster.outbox.read(10, 0)).map(entry => entry.id));
    }
    // Each session counts once, where its side a is.
    expect([one.counts.matched, two.counts.matched]).toEqual([2, 0]);
  });

  it('changes nothing while the user waits', async () => {
    one.service.connect('ann');
    await one.service.search('ann');
    const before = await cluster.registered('ann');
    expect(await one.service.search('ann')).toEqual({ state: 'waiting' });
    expect(await Promise.all([one.service.search('ann'), one.service.search('ann')])).toEqual([
      { state: 'waiting' },
      { state: 'waiting' },
    ]);
    expect(await cluster.registered('ann')).toEqual(before);
    expect(one.clients.of('ann')).toEqual([]);
    expect(one.service.census()).toEqual({ idle: 0, waiting: 1, paired: 0, sessions: 0 });
  });

  it('is refused in a chat, which goes on', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    const before = await Promise.all([cluster.registered('ann'), cluster.registered('bob')]);
    await expect(one.service.search('ann')).rejects.toMatchObject({ code: 'ALREADY_IN_CHAT' });
    expect(await Promise.all([cluster.registered('ann'), cluster.registered('bob')])).toEqual(before);
    expect([one.clients.of('ann'), two.clients.of('bob')]).toEqual([[], []]);
    await one.service.send('ann', 'still here');
    expect(two.clients.texts('bob')).toEqual(['still here']);
  });

  it('is refused when a search under way found a partner', async () => {
    for (const userId of ['ann', 'bob']) one.service.connect(userId);
    await one.service.search('ann');
    const [first, second] = await Promise.allSettled([one.service.search('bob'), one.service.search('bob')]);
    expect(first).toMatchObject({ status: 'fulfilled', value: { state: 'paired' } });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'ALREADY_IN_CHAT' } });
    expect(await cluster.facts()).toHaveLength(1);
  });
});

describe('skip', () => {
  it('tells the partner, and finds another one in the same step', async () => {
    const first = await pair([one, 'ann'], [two, 'bob']);
    one.service.connect('cid');
    await one.service.search('cid');

    const reply = await one.service.skip('ann');
    expect(reply.state).toBe('paired');
    expect(reply.sessionId).not.toBe(first);
    expect(one.clients.of('ann')).toMatchObject([['matched', { sessionId: reply.sessionId }]]);
    expect(one.clients.of('cid')).toMatchObject([['matched', { sessionId: reply.sessionId }]]);
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId: first, reason: 'skip' }]]);
    expect(await ended()).toMatchObject([{ sessionId: first, endReason: 'skip', userA: 'ann', userB: 'bob' }]);
  });

  it('leaves the partner idle, never straight in another chat', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    expect(await one.service.skip('ann')).toEqual({ state: 'waiting' });
    expect(two.service.census()).toEqual({ idle: 1, waiting: 0, paired: 0, sessions: 0 });
    expect(await cluster.registered('bob')).toMatchObject({ state: 'idle' });
    two.service.connect('cid');
    await two.service.search('cid');
    expect(two.clients.of('bob').map(([event]) => event)).toEqual(['partner_left']);
  });

  it('is a search for a user who is idle', async () => {
    one.service.connect('ann');
    expect(await one.service.skip('ann')).toEqual({ state: 'waiting' });
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
    expect(await cluster.facts()).toEqual([]);
  });

  it('keeps the place of a user who waits', async () => {
    one.service.connect('ann');
    await one.service.search('ann');
    const before = await cluster.registered('ann');
    expect(await one.service.skip('ann')).toEqual({ state: 'waiting' });
    expect(await cluster.registered('ann')).toEqual(before);
  });

  it('skips nobody when the partner left just before', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    cluster.channels.hold(one.lease.nodeId);
    await two.service.endChat('bob');
    // The notice is still on its way: this node believes that the chat goes on.
    expect(await one.service.skip('ann')).toEqual({ state: 'waiting' });
    cluster.channels.release(one.lease.nodeId);
    expect(one.clients.of('ann')).toEqual([]);
    expect(await ended()).toMatchObject([{ endReason: 'end' }]);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'waiting' });
  });

  it('ends the chat that a search under way finds', async () => {
    for (const userId of ['ann', 'bob']) one.service.connect(userId);
    await one.service.search('ann');
    const [found, skipped] = await Promise.all([one.service.search('bob'), one.service.skip('bob')]);
    expect(found.state).toBe('paired');
    expect(skipped).toEqual({ state: 'waiting' });
    expect(one.clients.of('ann').map(([event]) => event)).toEqual(['matched', 'partner_left']);
  });
});

describe('end_chat', () => {
  it('ends the chat for both', async () => {
    const sessionId = await pair([one, 'ann'], [two, 'bob']);
    expect(await two.service.endChat('bob')).toEqual({ state: 'idle' });
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'end' }]]);
    expect(two.clients.of('bob')).toEqual([]);
    expect(await ended()).toMatchObject([{ sessionId, endReason: 'end', userA: 'ann', userB: 'bob' }]);
    for (const userId of ['ann', 'bob']) expect(await cluster.registered(userId)).toMatchObject({ state: 'idle' });
  });

  it('takes a user out of the queue', async () => {
    one.service.connect('ann');
    two.service.connect('bob');
    await one.service.search('ann');
    expect(await one.service.endChat('ann')).toEqual({ state: 'idle' });
    expect(await two.service.search('bob')).toEqual({ state: 'waiting' });
    expect(one.clients.of('ann')).toEqual([]);
  });

  it('does nothing to a user who is idle', async () => {
    one.service.connect('ann');
    expect(await one.service.endChat('ann')).toEqual({ state: 'idle' });
    expect(one.store.calls).not.toContain('leave');
    await one.service.search('ann');
    await one.service.endChat('ann');
    expect(await one.service.endChat('ann')).toEqual({ state: 'idle' });
  });

  it('comes after a search that is under way', async () => {
    for (const userId of ['ann', 'bob']) one.service.connect(userId);
    await one.service.search('ann');
    const held = one.store.holdReply('search');
    const search = one.service.search('bob');
    await held.came;
    const end = one.service.endChat('bob');
    held.release();
    expect((await search).state).toBe('paired');
    expect(await end).toEqual({ state: 'idle' });
    expect(one.clients.of('ann').map(([event]) => event)).toEqual(['matched', 'partner_left']);
  });
});

describe('message', () => {
  it.each([
    ['on one node', () => one, 'local'],
    ['from node to node', () => two, 'remote'],
  ] as const)('reaches the partner and nobody else, %s', async (_where, partnerNode, route) => {
    const bobs = partnerNode();
    await pair([one, 'ann'], [bobs, 'bob']);
    await pair([one, 'cid'], [bobs, 'dan']);
    const sent = await one.service.send('ann', 'hello');
    expect(sent).toEqual({ id: expect.any(String), message: 'hello', at: expect.any(Number) });
    expect(bobs.clients.of('bob')).toEqual([['message', sent]]);
    const back = await bobs.service.send('bob', 'hi');
    expect(one.clients.of('ann')).toEqual([['message', back]]);
    expect(back.id).not.toBe(sent.id);
    for (const { clients } of [one, two]) expect([...clients.of('cid'), ...clients.of('dan')]).toEqual([]);
    expect(one.counts[route] + (bobs === one ? 0 : bobs.counts[route])).toBe(2);
  });

  it('is refused without a partner', async () => {
    one.service.connect('ann');
    await expect(one.service.send('ann', 'x')).rejects.toMatchObject(notInChat);
    await one.service.search('ann');
    await expect(one.service.send('ann', 'x')).rejects.toMatchObject(notInChat);
    await one.service.endChat('ann');
    await pair([one, 'bob'], [two, 'cid']);
    await two.service.disconnect('cid');
    await expect(one.service.send('bob', 'x')).rejects.toMatchObject(notInChat);
  });

  it.each(['skip', 'endChat'] as const)('is refused right after %s, which is still under way', async command => {
    await pair([one, 'ann'], [two, 'bob']);
    const leaving = give(one.service, command, 'ann');
    await expect(one.service.send('ann', 'x')).rejects.toMatchObject(notInChat);
    await leaving;
    expect(two.clients.texts('bob')).toEqual([]);
  });

  it('is not shown in the next chat of a partner who is skipping', async () => {
    await pair([one, 'ann'], [one, 'bob']);
    const held = one.store.holdCommand('search');
    const skip = one.service.skip('bob');
    await held.came;
    await one.service.send('ann', 'too late');
    held.release();
    await skip;
    expect(one.clients.texts('bob')).toEqual([]);
    expect(one.counts.dropped).toBe(1);
  });

  it('is refused when the node of the partner does not listen', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    cluster.channels.close(two.lease.nodeId);
    await expect(one.service.send('ann', 'x')).rejects.toMatchObject({ ...unavailable, retryAfterMs: 1000 });
    expect(one.counts.remote).toBe(0);
    await one.service.endChat('ann');
    expect(await ended()).toMatchObject([{ messages: 0 }]);
  });

  it('is counted in both directions, whoever ends the chat', async () => {
    for (const [partnerNode, ender] of [
      [one, 'ann'],
      [two, 'ann'],
      [two, 'bob'],
    ] as const) {
      const [ann, bob] = [`ann-${ender}`, `bob-${ender}`];
      await pair([one, ann], [partnerNode, bob]);
      for (let i = 0; i < 3; i++) await one.service.send(ann, `${i}`);
      for (let i = 0; i < 2; i++) await partnerNode.service.send(bob, `${i}`);
      if (ender === 'ann') await one.service.endChat(ann);
      else await partnerNode.service.endChat(bob);
      expect((await ended()).at(-1)).toMatchObject({ messages: 5 });
      await one.service.disconnect(ann);
      await partnerNode.service.disconnect(bob);
    }
  });

  it('is counted by skip and by a disconnect too', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    await one.service.send('ann', 'x');
    await one.service.skip('ann');
    await two.service.search('bob');
    await two.service.send('bob', 'x');
    await two.service.send('bob', 'y');
    await one.service.disconnect('ann');
    expect(await ended()).toMatchObject([
      { endReason: 'skip', messages: 1 },
      { endReason: 'disconnect', messages: 2 },
    ]);
  });
});

describe('a message from another node', () => {
  const message = { id: 'm', message: 'hello', at: 1 };
  const sendTo = (userId: string, sessionId: string) =>
    cluster.channels.send(one.lease.nodeId, { kind: 'chat', userId, sessionId, message });

  it('is dropped and counted unless its recipient is in its session', async () => {
    const sessionId = await pair([one, 'ann'], [two, 'bob']);
    one.service.connect('cid');
    sendTo('ann', 'another session');
    sendTo('cid', sessionId);
    sendTo('nobody', sessionId);
    expect(one.counts.dropped).toBe(3);
    await two.service.endChat('bob');
    sendTo('ann', sessionId);
    expect(one.counts.dropped).toBe(4);
    await one.service.disconnect('ann');
    sendTo('ann', sessionId);
    expect(one.counts.dropped).toBe(5);
    expect([one.clients.texts('ann'), one.clients.texts('cid')]).toEqual([[], []]);
  });

  it('is dropped and counted when its recipient leaves before it could be delivered', async () => {
    const sessionId = await pair([one, 'ann'], [two, 'bob']);
    const held = one.store.holdReply('leave');
    const end = one.service.endChat('ann');
    await held.came;
    sendTo('ann', sessionId);
    const gone = one.service.disconnect('ann');
    held.release(new ChatError('UNAVAILABLE'));
    await expect(end).rejects.toMatchObject(unavailable);
    await gone;
    expect(one.clients.texts('ann')).toEqual([]);
    expect(one.counts.dropped).toBe(1);
  });
});

describe('changes that overtake each other', () => {
  beforeEach(() => {
    one.service.connect('ann');
    two.service.connect('bob');
  });

  it('the notice of a match comes before the reply to the search that waited', async () => {
    const held = one.store.holdReply('search');
    const search = one.service.search('ann');
    await held.came;
    const { sessionId } = await two.service.search('bob');
    expect(one.clients.of('ann')).toMatchObject([['matched', { sessionId }]]);
    held.release();
    expect(await search).toEqual({ state: 'paired', sessionId });
    expect(one.clients.of('ann')).toHaveLength(1);
    expect(one.service.census()).toMatchObject({ paired: 1, waiting: 0 });
  });

  it('the notice of the next match comes before the reply to the skip: the user did not lose the partner', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    two.service.connect('cid');
    const held = one.store.holdReply('search');
    const skip = one.service.skip('ann');
    await held.came;
    const { sessionId } = await two.service.search('cid');
    held.release();
    expect(await skip).toEqual({ state: 'paired', sessionId });
    expect(one.clients.of('ann')).toMatchObject([['matched', { sessionId }]]);
  });

  it('the end of a chat comes before the reply to a skip that fails: it is told', async () => {
    const sessionId = await pair([one, 'ann'], [two, 'bob']);
    const held = one.store.holdCommand('search');
    const skip = one.service.skip('ann');
    await held.came;
    // As after a comparison with the registry, which does not know why.
    cluster.channels.send(one.lease.nodeId, { kind: 'change', change: { userId: 'ann', revision: 99, state: 'idle' } });
    held.release(new ChatError('UNAVAILABLE'));
    await expect(skip).rejects.toMatchObject(unavailable);
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
  });

  it('the reply that tells of a match comes before the notice of it', async () => {
    one.service.connect('cid');
    await one.service.search('ann');
    cluster.channels.hold(one.lease.nodeId);
    const { sessionId } = await one.service.search('cid');
    expect(one.clients.of('ann')).toMatchObject([['matched', { sessionId }]]);
    cluster.channels.release(one.lease.nodeId);
    expect(one.clients.of('ann')).toHaveLength(1);
    expect(one.clients.of('cid')).toHaveLength(1);
  });

  it('a search that finds the next partner tells of the end of a chat whose own notice was lost', async () => {
    const [one, two] = [await cluster.startNode(), await cluster.startNode()];
    one.service.connect('ann');
    for (const userId of ['bob', 'cid']) two.service.connect(userId);
    await one.service.search('ann');
    const held = one.store.holdCommand('search');
    const search = one.service.search('ann');
    await held.came;
    const first = await two.service.search('bob');
    const { nodeId } = one.lease;
    cluster.channels.close(nodeId);
    await two.service.endChat('bob');
    await two.service.search('cid');
    held.release();
    const second = await search;
    expect(one.clients.of('ann')).toMatchObject([
      ['matched', { sessionId: first.sessionId }],
      ['partner_left', { sessionId: first.sessionId, reason: 'disconnect' }],
      ['matched', { sessionId: second.sessionId }],
    ]);
  });

  it('messages that come before the reply that tells of their match are delivered after it, in order', async () => {
    await one.service.search('ann');
    const held = two.store.holdReply('search');
    const search = two.service.search('bob');
    await held.came;
    for (const text of ['1', '2', '3']) await one.service.send('ann', text);
    expect(two.clients.of('bob')).toEqual([]);
    held.release();
    await search;
    await one.service.send('ann', '4');
    await settled();
    expect(two.clients.of('bob').map(([event]) => event)).toEqual([
      'matched',
      'message',
      'message',
      'message',
      'message',
    ]);
    expect(two.clients.texts('bob')).toEqual(['1', '2', '3', '4']);
    await two.service.endChat('bob');
    expect(await ended()).toMatchObject([{ messages: 4 }]);
  });

  it('the same on one node', async () => {
    one.service.connect('cid');
    await one.service.search('ann');
    const held = one.store.holdReply('search');
    const search = one.service.search('cid');
    await held.came;
    for (const text of ['1', '2']) await one.service.send('ann', text);
    held.release();
    await search;
    await one.service.send('ann', '3');
    await settled();
    expect(one.clients.texts('cid')).toEqual(['1', '2', '3']);
    expect(one.counts).toMatchObject({ local: 3, dropped: 0 });
  });

  it('the notice of a match comes after its user ended everything', async () => {
    await one.service.search('ann');
    cluster.channels.hold(one.lease.nodeId);
    const { sessionId } = await two.service.search('bob');
    expect(await one.service.endChat('ann')).toEqual({ state: 'idle' });
    cluster.channels.release(one.lease.nodeId);
    expect(one.clients.of('ann')).toEqual([]);
    expect(two.clients.of('bob').at(-1)).toEqual(['partner_left', { sessionId, reason: 'end' }]);
    expect(one.service.census()).toMatchObject({ idle: 1, paired: 0 });
  });

  it('the notice of a match comes after its user disconnected', async () => {
    await one.service.search('ann');
    cluster.channels.hold(one.lease.nodeId);
    const { sessionId } = await two.service.search('bob');
    await one.service.disconnect('ann');
    cluster.channels.release(one.lease.nodeId);
    expect(one.clients.of('ann')).toEqual([]);
    expect(two.clients.of('bob').at(-1)).toEqual(['partner_left', { sessionId, reason: 'disconnect' }]);
  });

  it('the partner leaves before the reply that tells of the match', async () => {
    await one.service.search('ann');
    const held = two.store.holdReply('search');
    const search = two.service.search('bob');
    await held.came;
    await one.service.endChat('ann');
    const [{ sessionId } = { sessionId: '' }] = await ended();
    held.release();
    expect(await search).toEqual({ state: 'idle' });
    // A client that only listens must not believe that it still waits.
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'end' }]]);
    expect(two.service.census()).toMatchObject({ idle: 1, waiting: 0, paired: 0 });
  });

  it('the next partner leaves before the reply to the skip that found them', async () => {
    one.service.connect('cid');
    await one.service.search('ann');
    await two.service.search('bob');
    await one.service.search('cid');
    two.clients.forgetAll();
    const held = two.store.holdReply('search');
    const skip = two.service.skip('bob');
    await held.came;
    await one.service.disconnect('cid');
    held.release();
    expect(await skip).toEqual({ state: 'idle' });
    const second = (await ended()).at(-1)?.sessionId;
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId: second, reason: 'disconnect' }]]);
  });

  it.each([
    ['endChat', 'end'],
    ['disconnect', 'disconnect'],
  ] as const)('the reply that tells of a partner leaving (%s) comes before the notice of it', async (leave, reason) => {
    one.service.connect('cid');
    await one.service.search('ann');
    const { sessionId } = await one.service.search('cid');
    one.clients.forgetAll();
    cluster.channels.hold(one.lease.nodeId);
    await one.service[leave]('cid');
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason }]]);
    cluster.channels.release(one.lease.nodeId);
    expect(one.clients.of('ann')).toHaveLength(1);
  });
});

describe('a command that the store carries out twice, because its reply was lost', () => {
  it('counts once', async () => {
    one.store.twice = true;
    two.store.twice = true;
    const sessionId = await pair([one, 'ann'], [two, 'bob']);
    await one.service.send('ann', 'hello');
    expect(two.clients.texts('bob')).toEqual(['hello']);
    expect(await two.service.skip('bob')).toEqual({ state: 'waiting' });
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'skip' }]]);
    await one.service.search('ann');
    await one.service.disconnect('ann');
    await two.service.disconnect('bob');
    expect((await cluster.facts()).map(fact => fact.kind)).toEqual(['started', 'ended', 'started', 'ended']);
  });

  it('is told to a partner on the same node by the notice', async () => {
    one.store.twice = true;
    const sessionId = await pair([one, 'ann'], [one, 'bob']);
    await one.service.endChat('bob');
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'end' }]]);
  });
});

describe('disconnect', () => {
  it.each(['idle', 'waiting', 'paired'] as const)('leaves nothing of a user who is %s', async state => {
    const sessionId = state === 'paired' ? await pair([one, 'ann'], [two, 'bob']) : undefined;
    if (state !== 'paired') one.service.connect('ann');
    if (state === 'waiting') await one.service.search('ann');
    await one.service.disconnect('ann');
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    expect(one.service.census()).toEqual({ idle: 0, waiting: 0, paired: 0, sessions: 0 });
    if (sessionId) {
      expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
      expect(await ended()).toMatchObject([{ sessionId, endReason: 'disconnect' }]);
    }
    two.service.connect('cid');
    expect(await two.service.search('cid')).toEqual({ state: 'waiting' });
    // The gone user's node knows nothing any more.
    await expect(one.service.search('ann')).rejects.toMatchObject(unavailable);
    await expect(one.service.send('ann', 'x')).rejects.toMatchObject(unavailable);
    await one.service.disconnect('ann');
  });

  it.each(['holdCommand', 'holdReply'] as const)('comes while a search is under way (%s)', async hold => {
    two.service.connect('bob');
    await two.service.search('bob');
    one.service.connect('ann');
    const held = one.store[hold]('search');
    const search = one.service.search('ann');
    await held.came;
    const gone = one.service.disconnect('ann');
    held.release();
    await Promise.all([search, gone]);
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    expect(await cluster.registered('bob')).toMatchObject({ state: 'idle' });
    expect(two.clients.of('bob').map(([event]) => event)).toEqual(['matched', 'partner_left']);
    expect((await cluster.facts()).map(fact => fact.kind)).toEqual(['started', 'ended']);
  });

  it('comes while commands wait for their turn: they are not carried out', async () => {
    one.service.connect('ann');
    const held = one.store.holdReply('search');
    const search = one.service.search('ann');
    const [skip, again, end] = [one.service.skip('ann'), one.service.search('ann'), one.service.endChat('ann')];
    await held.came;
    const gone = one.service.disconnect('ann');
    held.release();
    await search;
    for (const command of [skip, again, end]) await expect(command).rejects.toMatchObject(unavailable);
    await gone;
    expect(one.store.calls.slice(-2)).toEqual(['search', 'leave']);
    expect(one.store.calls.filter(call => call !== 'usersOf')).toHaveLength(2);
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
  });

  it('comes for everyone when the node stops', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    one.service.connect('cid');
    await one.service.search('cid');
    await one.service.stop();
    for (const userId of ['ann', 'cid']) {
      expect(await cluster.registered(userId)).toEqual({ state: 'idle', revision: 0 });
    }
    expect(two.clients.of('bob')).toMatchObject([['partner_left', { reason: 'disconnect' }]]);
    expect(one.service.ready).toBe(false);
  });
});

describe('a user with many commands under way', () => {
  it('gets TOO_MANY_REQUESTS beyond fifty, and nothing else changes', async () => {
    for (const userId of ['ann', 'bob']) one.service.connect(userId);
    const held = one.store.holdReply('search');
    const commands = Array.from({ length: 50 }, () => one.service.search('ann'));
    for (const command of ['search', 'skip', 'endChat'] as const) {
      await expect(give(one.service, command, 'ann')).rejects.toMatchObject({
        code: 'TOO_MANY_REQUESTS',
        retryAfterMs: 1000,
      });
    }
    // Nobody else is kept waiting.
    expect((await one.service.search('bob')).state).toBe('paired');
    held.release();
    const results = await Promise.allSettled(commands);
    expect(results[0]).toMatchObject({ value: { state: 'paired' } });
    expect(results.slice(1).every(result => result.status === 'rejected')).toBe(true);
    await one.service.send('ann', 'hello');
    expect(one.clients.texts('bob')).toEqual(['hello']);
  });

  it('has an answer soon while the store gives none: what waited for long is not carried out', async () => {
    for (const userId of ['ann', 'bob']) one.service.connect(userId);
    const held = one.store.holdReply('search');
    const search = one.service.search('ann');
    await held.came;
    const late = [one.service.skip('ann'), one.service.endChat('ann'), one.service.search('ann')];
    const now = performance.now.bind(performance);
    const later = jest.spyOn(performance, 'now').mockImplementation(() => now() + 3001);
    held.release();
    await search;
    for (const command of late) await expect(command).rejects.toMatchObject({ ...unavailable, retryAfterMs: 1000 });
    later.mockRestore();
    expect(one.store.calls.filter(call => call === 'search' || call === 'leave')).toEqual(['search']);
    await one.service.skip('ann');
  });

  it('is not locked out by a partner who writes a lot', async () => {
    one.service.connect('ann');
    two.service.connect('bob');
    await one.service.search('ann');
    const held = two.store.holdReply('search');
    const search = two.service.search('bob');
    await held.came;
    for (let i = 0; i < 200; i++) await one.service.send('ann', `${i}`);
    const end = two.service.endChat('bob');
    held.release();
    await search;
    expect(await end).toEqual({ state: 'idle' });
    // What is more than can be held is dropped, from the end.
    expect(two.clients.texts('bob')).toEqual(Array.from({ length: two.clients.texts('bob').length }, (_, i) => `${i}`));
    expect(two.clients.texts('bob').length + two.counts.dropped).toBe(200);
    expect(two.counts.dropped).toBeGreaterThan(0);
  });
});

describe('a store that cannot be reached', () => {
  it.each(['search', 'skip', 'endChat'] as const)('fails %s and changes nothing', async command => {
    one.service.connect('ann');
    await one.service.search('ann');
    const before = one.service.census();
    one.store.away = true;
    await expect(give(one.service, command, 'ann')).rejects.toMatchObject(unavailable);
    expect(one.service.census()).toEqual(before);
    expect(one.clients.of('ann')).toEqual([]);
    one.store.away = false;
    expect(await one.service.search('ann')).toEqual({ state: 'waiting' });
  });

  it.each(['skip', 'endChat'] as const)('lets a chat go on after a %s that failed', async command => {
    await pair([one, 'ann'], [two, 'bob']);
    one.store.away = true;
    await expect(give(one.service, command, 'ann')).rejects.toMatchObject(unavailable);
    await one.service.send('ann', 'hello');
    expect(two.clients.of('bob')).toMatchObject([['message', { message: 'hello' }]]);
  });

  it('gives the user the chat that a search found although its reply was lost, at the next search', async () => {
    one.service.connect('ann');
    two.service.connect('bob');
    await one.service.search('ann');
    const held = two.store.holdReply('search');
    const search = two.service.search('bob');
    await held.came;
    held.release(new ChatError('UNAVAILABLE'));
    await expect(search).rejects.toMatchObject(unavailable);
    expect(two.service.census()).toMatchObject({ idle: 1 });
    const [started] = await cluster.facts();
    expect(await two.service.search('bob')).toMatchObject({ state: 'paired', sessionId: started?.sessionId });
    expect(await cluster.facts()).toHaveLength(1);
  });
});

/** Lets a number of heartbeats happen. */
const beats = (count = 1) => jest.advanceTimersByTimeAsync((count * leaseMs) / 4);
const fakeTimers = () => jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });

describe('heartbeats', () => {
  beforeEach(async () => {
    await cluster.stop();
    fakeTimers();
    cluster = new TestCluster();
    [one, two] = [await cluster.startNode(), await cluster.startNode()];
  });
  afterEach(async () => {
    for (const { store } of cluster.nodes) store.away = false;
    await cluster.stop();
    jest.useRealTimers();
  });

  it('tell the store of those who left while it could not be reached', async () => {
    const sessionId = await pair([one, 'ann'], [two, 'bob']);
    one.store.away = true;
    await one.service.disconnect('ann');
    expect(one.warnings).toEqual(['The store cannot be told that users left. It will be.']);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'paired' });
    await beats();
    expect(await cluster.registered('ann')).toMatchObject({ state: 'paired' });
    expect(one.service.ready).toBe(false);
    one.store.away = false;
    await beats();
    expect(one.service.ready).toBe(true);
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
    const given = one.store.calls.length;
    await beats();
    expect(one.store.calls).toHaveLength(given);
  });

  it('keep the users of a node that lost the store for less than its lease', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    one.store.away = true;
    await beats(2);
    one.store.away = false;
    await beats();
    await one.service.send('ann', 'hello');
    expect(two.clients.texts('bob')).toEqual(['hello']);
    expect(one.clients.closed).toBe(0);
  });

  it('end the chats of a node whose lease lapsed, and the node begins anew', async () => {
    const sessionId = await pair([one, 'ann'], [two, 'bob']);
    const before = one.lease.nodeId;
    one.store.away = true;
    await beats(8);
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'timeout' }]]);
    expect(await ended()).toMatchObject([{ sessionId, endReason: 'timeout', messages: null }]);
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    // It has not heard of it, and keeps its users until it does.
    expect(one.clients.closed).toBe(0);

    one.store.away = false;
    await beats();
    expect(one.clients.closed).toBe(1);
    expect(one.service.census()).toEqual({ idle: 0, waiting: 0, paired: 0, sessions: 0 });
    await beats();
    expect(one.lease.nodeId).not.toBe(before);
    expect(one.service.ready).toBe(true);
    await expect(one.service.search('ann')).rejects.toMatchObject(unavailable);
    one.service.connect('ann again');
    await one.service.search('ann again');
    expect((await two.service.search('bob')).state).toBe('paired');
  });

  it('end nothing when the store was away for everyone, however long', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    await pair([one, 'cid'], [one, 'dan']);
    const nodeIds = [one, two].map(({ lease }) => lease.nodeId);
    for (const { store } of cluster.nodes) store.away = true;
    await beats(40);
    await one.service.send('cid', 'on one node');
    expect(one.clients.texts('dan')).toEqual(['on one node']);
    // One comes back a little before the other.
    two.store.away = false;
    await beats(3);
    one.store.away = false;
    await beats(12);
    expect([one, two].map(({ lease }) => lease.nodeId)).toEqual(nodeIds);
    expect([one.clients.closed, two.clients.closed]).toEqual([0, 0]);
    await one.service.send('ann', 'from node to node');
    expect(two.clients.of('bob')).toMatchObject([['message', { message: 'from node to node' }]]);
    expect(await ended()).toEqual([]);
  });

  it('reap no node before a whole lease without interruption', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    for (const { store } of cluster.nodes) store.away = true;
    await beats(8);
    two.store.away = false;
    await beats(4);
    expect(await ended()).toEqual([]);
    await beats(2);
    expect(await ended()).toMatchObject([{ endReason: 'timeout' }]);
  });
});

describe('a lost lease', () => {
  beforeEach(async () => {
    await cluster.stop();
    fakeTimers();
    cluster = new TestCluster();
    [one, two] = [await cluster.startNode(), await cluster.startNode()];
  });
  afterEach(async () => {
    await cluster.stop();
    jest.useRealTimers();
  });

  const lapse = () => cluster.store.releaseLease(one.lease.nodeId);
  /** The time in which a node asks when it doubts; much less than to the next heartbeat. */
  const soon = () => jest.advanceTimersByTimeAsync(leaseMs / 10);

  it('is noticed by a search: everyone is disconnected, and nobody comes into the registry', async () => {
    for (const userId of ['ann', 'bob', 'cid']) one.service.connect(userId);
    await one.service.search('ann');
    await lapse();
    const [first, second] = await Promise.allSettled([one.service.search('bob'), one.service.search('cid')]);
    expect([first, second]).toMatchObject([{ reason: unavailable }, { reason: unavailable }]);
    await soon();
    expect(one.clients.closed).toBe(1);
    expect(one.service.census()).toEqual({ idle: 0, waiting: 0, paired: 0, sessions: 0 });
    for (const userId of ['bob', 'cid']) {
      expect(await cluster.registered(userId)).toEqual({ state: 'idle', revision: 0 });
    }
    two.service.connect('dan');
    expect(await two.service.search('dan')).toEqual({ state: 'waiting' });
  });

  it('lets no command that waited for its turn act under the new lease', async () => {
    one.service.connect('ann');
    const held = one.store.holdReply('search');
    const search = one.service.search('ann');
    await held.came;
    const skip = one.service.skip('ann');
    const old = one.lease.nodeId;
    await lapse();
    await beats(2);
    expect(one.lease.nodeId).not.toBe(old);
    held.release();
    await search;
    await expect(skip).rejects.toMatchObject(unavailable);
    await cluster.store.reap({ nodeId: old, limit: 10, graceMs });
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
  });

  it('is noticed by an end_chat of a user who was reaped', async () => {
    await pair([one, 'ann'], [two, 'bob']);
    await lapse();
    await cluster.store.reap({ nodeId: one.lease.nodeId, limit: 10, graceMs });
    await expect(one.service.endChat('ann')).rejects.toMatchObject(unavailable);
    await soon();
    expect(one.clients.closed).toBe(1);
  });

  it('is no reason to lose the next one: the refusal of an old command may come late', async () => {
    one.service.connect('ann');
    const held = one.store.holdCommand('search');
    const search = one.service.search('ann');
    await held.came;
    await lapse();
    await beats(2);
    expect([one.clients.closed, one.service.ready]).toEqual([1, true]);
    one.service.connect('bob');
    held.release();
    await expect(search).rejects.toMatchObject(unavailable);
    await beats();
    expect([one.clients.closed, one.service.ready]).toEqual([1, true]);
    expect(await one.service.search('bob')).toEqual({ state: 'waiting' });
  });

  it('lets nothing be done under the name of the old one before the next one is taken', async () => {
    one.service.connect('cid');
    const { nodeId } = one.lease;
    await one.service.search('cid');
    await lapse();
    // The store does not hear that the lease is given up, but the node does not have it any more.
    jest.spyOn(one.store, 'renewLease').mockRejectedValueOnce(new LeaseLost(nodeId));
    jest.spyOn(one.store, 'releaseLease').mockRejectedValueOnce(new ChatError('UNAVAILABLE'));
    await cluster.store.loseData();
    await cluster.store.renewLease({ nodeId, leaseMs });
    await beats();
    expect(one.clients.closed).toBe(1);
    one.service.connect('ann');
    await expect(one.service.search('ann')).rejects.toMatchObject(unavailable);
    await expect(one.service.resume('bob', `x.${'y'.repeat(43)}`)).rejects.toMatchObject(unavailable);
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    await beats();
    expect(await one.service.search('ann')).toEqual({ state: 'waiting' });
  });
});

describe('a node whose process slept for longer than its lease', () => {
  /** Nothing happens, and time goes by. */
  function sleep(): void {
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + leaseMs + 1);
  }
  afterEach(() => jest.restoreAllMocks());

  it.each([
    ['search', () => one.service.search('ann')],
    ['skip', () => one.service.skip('ann')],
    ['endChat', () => one.service.endChat('ann')],
    ['send', () => one.service.send('ann', 'x')],
    ['acknowledge', () => one.service.acknowledge('ann', { sessionId: 's', upTo: 1 })],
    ['resume', () => one.service.resume('x', newResumeToken('ann').text)],
  ])('lets everyone go before it accepts anything: %s', async (_what, act) => {
    await pair([one, 'ann'], [two, 'bob']);
    const before = one.store.calls.length;
    sleep();
    await expect(act()).rejects.toMatchObject(unavailable);
    expect([one.clients.closed, one.service.present]).toEqual([1, []]);
    expect(one.store.calls).toHaveLength(before);
    expect(two.clients.of('bob')).toEqual([]);
  });

  it('emits no message that had waited for it', async () => {
    const sessionId = await pair([one, 'ann'], [two, 'bob']);
    cluster.channels.hold(one.lease.nodeId);
    await two.service.send('bob', 'stale');
    sleep();
    cluster.channels.release(one.lease.nodeId);
    expect([one.clients.of('ann'), one.clients.closed]).toEqual([[], 1]);
    expect(sessionId).toBeDefined();
  });

  it('emits nothing of a reply that had waited for it', async () => {
    for (const userId of ['ann', 'bob']) one.service.connect(userId);
    await one.service.search('ann');
    const held = one.store.holdReply('search');
    const search = one.service.search('bob');
    await held.came;
    one.clients.forgetAll();
    sleep();
    held.release();
    await search;
    expect([one.clients.of('bob'), one.clients.closed]).toEqual([[], 1]);
  });

  it('says nothing of what it missed', async () => {
    await one.service.resume('ann', undefined);
    two.service.connect('bob');
    await one.service.search('ann');
    await two.service.search('bob');
    one.clients.forgetAll();
    sleep();
    cluster.channels.miss(one.lease.nodeId);
    expect([one.clients.of('ann'), one.clients.closed]).toEqual([[], 1]);
  });

  it('is not ready', () => {
    sleep();
    expect(one.service.ready).toBe(false);
    expect(one.clients.closed).toBe(1);
  });
});

describe('everything at once', () => {
  it('rejects nothing that nobody catches', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    await pair([one, 'ann'], [two, 'bob']);
    one.store.away = true;
    await one.service.disconnect('ann');
    one.service.connect('cid');
    const commands = ['search', 'skip', 'endChat'] as const;
    await Promise.allSettled(commands.map(command => give(one.service, command, 'cid')));
    one.store.away = false;
    await cluster.store.releaseLease(one.lease.nodeId);
    await Promise.allSettled(commands.map(command => give(one.service, command, 'cid')));
    await settled();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
