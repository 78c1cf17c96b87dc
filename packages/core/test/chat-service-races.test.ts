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
    await cluster.pair([one, 'ann'], [two, 'bob']);
    two.service.connect('cid');
    const held = one.store.holdReply('search');
    const skip = one.service.skip('ann');
    await held.came;
    const { sessionId } = await two.service.search('cid');
    await one.service.send('ann', 'hello');
    held.release();
    expect(await skip).toEqual({ state: 'paired', sessionId });
    expect(one.clients.of('ann')).toMatchObject([['matched', { sessionId }]]);
    expect(two.clients.texts('cid')).toEqual(['hello']);
  });

  it('the notice of a match comes before the reply to the end of everything: nothing is said in that chat', async () => {
    const held = one.store.holdCommand('leave');
    await one.service.search('ann');
    const end = one.service.endChat('ann');
    await held.came;
    await two.service.search('bob');
    await expect(one.service.send('ann', 'hello')).rejects.toMatchObject({ code: 'NOT_IN_CHAT' });
    held.release();
    expect(await end).toEqual({ state: 'idle' });
    expect(two.clients.texts('bob')).toEqual([]);
  });

  it('a skip is given before the reply that tells of a match: nothing is said in that chat', async () => {
    await two.service.search('bob');
    const reply = one.store.holdReply('search');
    const given = [one.service.search('ann'), one.service.skip('ann')];
    await reply.came;
    const skip = one.store.holdCommand('search');
    reply.release();
    await skip.came;
    await expect(one.service.send('ann', 'hello')).rejects.toMatchObject({ code: 'NOT_IN_CHAT' });
    skip.release();
    await Promise.all(given);
    expect(two.clients.events('bob')).toEqual(['matched', 'partner_left']);
  });

  it('the end of a chat comes before the reply to a skip that fails: it is told', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
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
    expect(await cluster.ended()).toMatchObject([{ messages: 4 }]);
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
    held.release();
    expect(await search).toEqual({ state: 'waiting' });
    // Of a chat that began unheard nobody hears the end.
    expect(two.clients.of('bob')).toEqual([]);
    expect(two.service.census()).toMatchObject({ idle: 0, waiting: 1, paired: 0 });
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
    expect(await skip).toEqual({ state: 'waiting' });
    expect(two.clients.of('bob')).toEqual([]);
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
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
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
    const sessionId = await cluster.pair([one, 'ann'], [one, 'bob']);
    await one.service.endChat('bob');
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'end' }]]);
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
