import type { NodeMessage } from '../src/index.ts';
import { unavailable } from './held-store.ts';
import { graceMs, leaseMs, settled, TestCluster, type TestNode } from './test-cluster.ts';

let cluster: TestCluster;
let one: TestNode;
let two: TestNode;
/** What nodes and the store sent to nodes. */
let sent: { nodeId: string; message: NodeMessage }[];
/** What becomes of a message on its way. */
let onTheWay: (message: NodeMessage) => NodeMessage;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  cluster = new TestCluster();
  sent = [];
  onTheWay = message => message;
  const { send } = cluster.channels;
  jest.spyOn(cluster.channels, 'send').mockImplementation((nodeId, message) => {
    sent.push({ nodeId, message });
    return send.call(cluster.channels, nodeId, onTheWay(message));
  });
  [one, two] = [await cluster.startNode(), await cluster.startNode()];
});

afterEach(async () => {
  await cluster.stop();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const beats = (count = 1) => jest.advanceTimersByTimeAsync((count * leaseMs) / 4);
const dropped = () => sent.filter(({ message }) => message.kind === 'dropped');

/** Notices to the node are lost while this runs. */
async function deaf(node: TestNode, act: () => Promise<unknown>): Promise<void> {
  cluster.channels.hold(node.lease.nodeId);
  await act();
  cluster.channels.forget(node.lease.nodeId);
}

/** Ann, on node one, is in a chat that bob, on node two, has left, and does not know it. */
async function deadChat(kind: 'plain' | 'resuming' = 'plain'): Promise<string> {
  const sessionId = await cluster.pair([one, 'ann'], [two, 'bob'], kind);
  await deaf(one, () => two.service.endChat('bob'));
  return sessionId;
}

describe('a comparison that fails', () => {
  /** The user's chat is over before the reply that it began, and the comparison waits for that reply. */
  const busyInDeadChat = async () => {
    two.service.connect('bob');
    one.service.connect('ann');
    await two.service.search('bob');
    const held = one.store.holdReply('search');
    const search = one.service.search('ann');
    await held.came;
    await deaf(one, () => two.service.endChat('bob'));
    return { held, search };
  };

  it('is made again for a user who was busy when everyone was compared', async () => {
    const { held, search } = await busyInDeadChat();
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    jest.spyOn(one.store, 'sync').mockRejectedValueOnce(unavailable());
    held.release();
    await search;
    await beats(3);
    expect(one.clients.events('ann')).toEqual(['matched', 'partner_left']);
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
  });

  it('is made again for a user who was busy when the user alone was in doubt', async () => {
    const { held, search } = await busyInDeadChat();
    cluster.channels.send(one.lease.nodeId, { kind: 'unreadable', userId: 'ann' });
    await beats();
    jest.spyOn(one.store, 'sync').mockRejectedValueOnce(unavailable());
    held.release();
    await search;
    await beats(3);
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
  });

  it('is made again for a user who had too many commands under way', async () => {
    const { held, search } = await busyInDeadChat();
    const commands = Array.from({ length: 49 }, () => one.service.search('ann'));
    cluster.channels.miss(one.lease.nodeId);
    await beats();
    held.release();
    await Promise.allSettled([search, ...commands]);
    await beats(3);
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
  });
});

describe('a message that is dropped', () => {
  it.each(['plain', 'resuming'] as const)('has its sender compared, who is %s: the chat was over', async kind => {
    const sessionId = await deadChat(kind);
    await one.service.send('ann', 'are you there?');
    await beats(2);
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
  });

  it.each([
    ['a receipt', (sessionId: string) => one.service.acknowledge('ann', { sessionId, upTo: 1 })],
    ['word of typing', (sessionId: string) => one.service.tellTyping('ann', { sessionId, typing: true })],
  ])('does so also if it is %s', async (_what, say) => {
    await say(await deadChat('resuming'));
    await beats(2);
    expect(one.clients.events('ann')).toEqual(['partner_left']);
  });

  it('has its recipient compared: the chat had begun', async () => {
    two.service.connect('bob');
    one.service.connect('ann');
    await two.service.search('bob');
    await deaf(two, () => one.service.search('ann'));
    await one.service.send('ann', 'hello');
    await beats(2);
    expect(two.clients.events('bob')).toEqual(['matched']);
    await one.service.send('ann', 'hello again');
    expect(two.clients.texts('bob')).toEqual(['hello again']);
  });

  it.each([
    ['on another node', () => two],
    ['on the same node', () => one],
  ])('finds out a recipient who is not here, though the registry says so, %s', async (_where, node) => {
    const sessionId = await cluster.pair([one, 'ann'], [node(), 'bob'], 'resuming');
    jest.spyOn(node().store, 'suspend').mockResolvedValueOnce([]);
    await node().service.disconnect('bob', 'lost');
    await one.service.send('ann', 'hello').catch(() => undefined);
    await beats(2);
    expect(one.clients.of('ann')).toEqual([['partner_away', { sessionId, graceMs }]]);
  });

  it('to a node that does not listen any more has its sender compared too', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob'], 'resuming');
    cluster.channels.close(two.lease.nodeId);
    await expect(one.service.send('ann', 'hello', { sessionId })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const compared = jest.spyOn(one.store, 'sync');
    await beats(2);
    expect(compared).toHaveBeenCalledTimes(1);
  });

  it('is told of once between two heartbeats, and makes one comparison, however many follow', async () => {
    await deadChat('resuming');
    const compared = jest.spyOn(one.store, 'sync').mockRejectedValue(unavailable());
    for (let i = 0; i < 100; i++) await one.service.send('ann', `${i}`);
    expect(dropped()).toEqual([
      { nodeId: one.lease.nodeId, message: { kind: 'dropped', userId: 'ann', sessionId: expect.any(String) } },
    ]);
    expect(compared).not.toHaveBeenCalled();
    await beats();
    expect(compared).toHaveBeenCalledTimes(1);
    await one.service.send('ann', 'again');
    expect(dropped()).toHaveLength(2);
    compared.mockRestore();
    await beats();
    expect(one.clients.events('ann')).toEqual(['partner_left']);
    // And no notice is answered with another one.
    await beats(4);
    expect(dropped()).toHaveLength(2);
  });

  it('tells nothing of a user who is in another session by now', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    const compared = jest.spyOn(one.store, 'sync');
    cluster.channels.send(one.lease.nodeId, { kind: 'dropped', userId: 'ann', sessionId: 'another' });
    cluster.channels.send(one.lease.nodeId, { kind: 'dropped', userId: 'nobody', sessionId });
    await beats(2);
    expect(compared).not.toHaveBeenCalled();
    expect(one.store.calls).not.toContain('disown');
  });
});

describe('a change that cannot be read', () => {
  const garbled = (named: boolean) => (message: NodeMessage) =>
    message.kind === 'change'
      ? ({ kind: 'unreadable', userId: named ? message.change.userId : undefined } as const)
      : message;

  it.each([
    ['names its user, who is compared', true],
    ['does not even name its user: everyone is compared', false],
  ])('%s', async (_what, named) => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob']);
    one.service.connect('cid');
    await one.service.search('cid');
    const compared = jest.spyOn(one.store, 'sync');
    onTheWay = garbled(named);
    await two.service.endChat('bob');
    onTheWay = message => message;
    await beats(2);
    expect(one.clients.of('ann')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
    expect(compared.mock.calls.flatMap(([, users]) => users.map(({ userId }) => userId))).toEqual(
      named ? ['ann'] : ['ann', 'cid'],
    );
  });

  it('is remembered for a user who is just coming', async () => {
    await cluster.pair([one, 'ann'], [two, 'bob'], 'resuming');
    await one.service.disconnect('ann', 'left');
    await one.service.resume('cid', undefined);
    const token = one.clients.last('cid', 'welcome')?.token;
    await cluster.match([one, 'cid'], [two, 'bob']);
    await one.service.disconnect('cid', 'lost');
    const held = one.store.holdReply('resume');
    const resume = one.service.resume('x', token);
    await held.came;
    onTheWay = garbled(true);
    await two.service.endChat('bob');
    held.release();
    await resume;
    expect(one.service.stateOf('cid')).toMatchObject({ state: 'paired' });
    await beats(2);
    expect(one.service.stateOf('cid')).toEqual({ state: 'idle' });
  });

  it('is not forgotten when a command succeeds that was carried out before it', async () => {
    one.service.connect('ann');
    await one.service.search('ann');
    const held = one.store.holdReply('search');
    const search = one.service.search('ann');
    await held.came;
    onTheWay = garbled(true);
    two.service.connect('bob');
    await two.service.search('bob');
    held.release();
    expect(await search).toEqual({ state: 'waiting' });
    await beats(2);
    expect(one.clients.events('ann')).toEqual(['matched']);
  });

  it('does not make a doubt of another kind a lesser one', async () => {
    one.service.connect('ann');
    const held = one.store.holdReply('search');
    const search = one.service.search('ann');
    await held.came;
    held.release(unavailable());
    await expect(search).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    cluster.channels.send(one.lease.nodeId, { kind: 'unreadable', userId: 'ann' });
    await beats(2);
    expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
  });
});

describe('where nothing is in doubt', () => {
  const minute = () => beats(60_000 / (leaseMs / 4));

  it('everyone is compared all the same, within two minutes', async () => {
    await deadChat();
    for (let i = 0; i < 20; i++) one.service.connect(`idle${i}`);
    await minute();
    await minute();
    expect(one.clients.events('ann')).toEqual(['partner_left']);
  });

  it('users who are not here, though the registry says so, are found within three minutes', async () => {
    const sessionId = await cluster.pair([one, 'ann'], [two, 'bob'], 'resuming');
    jest.spyOn(two.store, 'suspend').mockResolvedValueOnce([]);
    await two.service.disconnect('bob', 'lost');
    for (let i = 0; i < 3; i++) await minute();
    expect(one.clients.of('ann')[0]).toEqual(['partner_away', { sessionId, graceMs }]);
  });

  it('each is compared once a minute, a few at a time', async () => {
    const count = 250;
    for (let i = 0; i < count; i++) {
      one.service.connect(`user${i}`);
      await one.service.search(`user${i}`);
    }
    await minute();
    const compared = jest.spyOn(one.store, 'sync');
    await minute();
    const sizes = compared.mock.calls.map(([, users]) => users.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(count * 0.95);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(count * 1.05);
    expect(Math.max(...sizes)).toBeLessThan(10);
    await settled();
  });

  it('whoever could not be compared is compared next', async () => {
    await deadChat();
    const failing = jest.spyOn(one.store, 'sync').mockRejectedValue(unavailable());
    await minute();
    await minute();
    expect(one.clients.events('ann')).toEqual([]);
    failing.mockRestore();
    await beats(2);
    expect(one.clients.events('ann')).toEqual(['partner_left']);
  });
});
