import { newResumeToken } from '../src/chat/resume-token.ts';
import { ChatError, LeaseLost } from '../src/index.ts';
import { graceMs, leaseMs, TestCluster, type TestNode } from './test-cluster.ts';

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
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
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
    await cluster.pair([one, 'ann'], [two, 'bob']);
    one.store.away = true;
    await beats(2);
    one.store.away = false;
    await beats();
    await one.service.send('ann', 'hello');
    expect(two.clients.texts('bob')).toEqual(['hello']);
    expect(one.clients.closed).toBe(0);
  });

  it('end the chats of a node whose lease lapsed, and the node begins anew', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    const before = one.lease.nodeId;
    one.store.away = true;
    await beats(8);
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'timeout' }]]);
    expect(await cluster.ended()).toMatchObject([{ sessionId, endReason: 'timeout', messages: null }]);
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
    await cluster.pair([one, 'ann'], [two, 'bob']);
    await cluster.pair([one, 'cid'], [one, 'dan']);
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
    expect(await cluster.ended()).toEqual([]);
  });

  it('reap no node before a whole lease without interruption', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob']);
    for (const { store } of cluster.nodes) store.away = true;
    await beats(8);
    two.store.away = false;
    await beats(4);
    expect(await cluster.ended()).toEqual([]);
    await beats(2);
    expect(await cluster.ended()).toMatchObject([{ endReason: 'timeout' }]);
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
    await cluster.pair([one, 'ann'], [two, 'bob']);
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
    await cluster.pair([one, 'ann'], [two, 'bob']);
    const before = one.store.calls.length;
    sleep();
    await expect(act()).rejects.toMatchObject(unavailable);
    expect([one.clients.closed, one.service.present]).toEqual([1, []]);
    expect(one.store.calls).toHaveLength(before);
    expect(two.clients.of('bob')).toEqual([]);
  });

  it('emits no message that had waited for it', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
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
