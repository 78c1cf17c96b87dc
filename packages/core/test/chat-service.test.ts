import { ChatError } from '../src/index.ts';
import { give, settled, TestCluster, type TestNode } from './test-cluster.ts';

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
    await cluster.pair([one, 'ann'], [two, 'bob']);
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
    const first = await cluster.pair([one, 'ann'], [two, 'bob']);
    one.service.connect('cid');
    await one.service.search('cid');

    const reply = await one.service.skip('ann');
    expect(reply.state).toBe('paired');
    expect(reply.sessionId).not.toBe(first);
    expect(one.clients.of('ann')).toMatchObject([['matched', { sessionId: reply.sessionId }]]);
    expect(one.clients.of('cid')).toMatchObject([['matched', { sessionId: reply.sessionId }]]);
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId: first, reason: 'skip' }]]);
    expect(await cluster.ended()).toMatchObject([{ sessionId: first, endReason: 'skip', userA: 'ann', userB: 'bob' }]);
  });

  it('leaves the partner idle, never straight in another chat', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
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
    await cluster.pair([one, 'ann'], [two, 'bob']);
    cluster.channels.hold(one.lease.nodeId);
    await two.service.endChat('bob');
    // The notice is still on its way: this node believes that the chat goes on.
    expect(await one.service.skip('ann')).toEqual({ state: 'waiting' });
    cluster.channels.release(one.lease.nodeId);
    expect(one.clients.of('ann')).toEqual([]);
    expect(await cluster.ended()).toMatchObject([{ endReason: 'end' }]);
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
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    expect(await two.service.endChat('bob')).toEqual({ state: 'idle' });
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'end' }]]);
    expect(two.clients.of('bob')).toEqual([]);
    expect(await cluster.ended()).toMatchObject([{ sessionId, endReason: 'end', userA: 'ann', userB: 'bob' }]);
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
    await cluster.pair([one, 'ann'], [bobs, 'bob']);
    await cluster.pair([one, 'cid'], [bobs, 'dan']);
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
    await cluster.pair([one, 'bob'], [two, 'cid']);
    await two.service.disconnect('cid');
    await expect(one.service.send('bob', 'x')).rejects.toMatchObject(notInChat);
  });

  it.each(['skip', 'endChat'] as const)('is refused right after %s, which is still under way', async command => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    const leaving = give(one.service, command, 'ann');
    await expect(one.service.send('ann', 'x')).rejects.toMatchObject(notInChat);
    await leaving;
    expect(two.clients.texts('bob')).toEqual([]);
  });

  it('is not shown in the next chat of a partner who is skipping', async () => {
    await cluster.pair([one, 'ann'], [one, 'bob']);
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
    await cluster.pair([one, 'ann'], [two, 'bob']);
    cluster.channels.close(two.lease.nodeId);
    await expect(one.service.send('ann', 'x')).rejects.toMatchObject({ ...unavailable, retryAfterMs: 1000 });
    expect(one.counts.remote).toBe(0);
    await one.service.endChat('ann');
    expect(await cluster.ended()).toMatchObject([{ messages: 0 }]);
  });

  it('is counted in both directions, whoever ends the chat', async () => {
    for (const [partnerNode, ender] of [
      [one, 'ann'],
      [two, 'ann'],
      [two, 'bob'],
    ] as const) {
      const [ann, bob] = [`ann-${ender}`, `bob-${ender}`];
      await cluster.pair([one, ann], [partnerNode, bob]);
      for (let i = 0; i < 3; i++) await one.service.send(ann, `${i}`);
      for (let i = 0; i < 2; i++) await partnerNode.service.send(bob, `${i}`);
      if (ender === 'ann') await one.service.endChat(ann);
      else await partnerNode.service.endChat(bob);
      expect((await cluster.ended()).at(-1)).toMatchObject({ messages: 5 });
      await one.service.disconnect(ann);
      await partnerNode.service.disconnect(bob);
    }
  });

  it('is counted by skip and by a disconnect too', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    await one.service.send('ann', 'x');
    await one.service.skip('ann');
    await two.service.search('bob');
    await two.service.send('bob', 'x');
    await two.service.send('bob', 'y');
    await one.service.disconnect('ann');
    expect(await cluster.ended()).toMatchObject([
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
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
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
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
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

describe('disconnect', () => {
  it.each(['idle', 'waiting', 'paired'] as const)('leaves nothing of a user who is %s', async state => {
    const sessionId = state === 'paired' ? await cluster.pair([one, 'ann'], [two, 'bob']) : undefined;
    if (state !== 'paired') one.service.connect('ann');
    if (state === 'waiting') await one.service.search('ann');
    await one.service.disconnect('ann');
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    expect(one.service.census()).toEqual({ idle: 0, waiting: 0, paired: 0, sessions: 0 });
    if (sessionId) {
      expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
      expect(await cluster.ended()).toMatchObject([{ sessionId, endReason: 'disconnect' }]);
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
    await cluster.pair([one, 'ann'], [two, 'bob']);
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
    await cluster.pair([one, 'ann'], [two, 'bob']);
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

describe('everything at once', () => {
  it('rejects nothing that nobody catches', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    await cluster.pair([one, 'ann'], [two, 'bob']);
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
