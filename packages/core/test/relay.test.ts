import type { ChatMessage, Receipt } from '@passerby/protocol';
import { ChatError, type RoutedMessage } from '../src/index.ts';
import { settled, TestCluster, type TestNode } from './test-cluster.ts';

let cluster: TestCluster;
let one: TestNode;
let two: TestNode;

beforeEach(async () => {
  cluster = new TestCluster();
  [one, two] = [await cluster.startNode(), await cluster.startNode()];
});

afterEach(() => cluster.stop());

const notInChat = { code: 'NOT_IN_CHAT' };
const places = [
  ['on one node', () => one],
  ['from node to node', () => two],
] as const;

/** Ann, who can resume, on node one, in a chat with bob. @returns the session's id */
async function chat(bobOn: TestNode, bob: 'plain' | 'resuming'): Promise<string> {
  await one.service.resume('ann', undefined);
  if (bob === 'plain') bobOn.service.connect('bob');
  else await bobOn.service.resume('bob', undefined);
  await one.service.search('ann');
  const { sessionId } = await bobOn.service.search('bob');
  for (const { clients } of cluster.nodes) clients.forgetAll();
  return sessionId ?? '';
}

function receipts(node: TestNode, userId: string): Receipt[] {
  return node.clients.of(userId).flatMap(([event, payload]) => (event === 'delivered' ? [payload] : []));
}

function messages(node: TestNode, userId: string): ChatMessage[] {
  return node.clients.of(userId).flatMap(([event, payload]) => (event === 'message' ? [payload] : []));
}

describe.each(places)('messages between two who can resume, %s', (_where, node) => {
  it('carry their number and their session, and every one is passed on: the client drops what it has', async () => {
    const sessionId = await chat(node(), 'resuming');
    for (const seq of [1, 2, 2, 5]) {
      const sent = await one.service.send('ann', `${seq}`, { seq, sessionId });
      expect(sent).toEqual({ id: expect.any(String), message: `${seq}`, at: expect.any(Number) });
      expect(messages(node(), 'bob').at(-1)).toEqual({ ...sent, sessionId, seq });
    }
    expect(messages(node(), 'bob')).toHaveLength(4);
    expect(one.clients.of('ann')).toEqual([]);
  });

  it('are acknowledged by their receiver', async () => {
    const sessionId = await chat(node(), 'resuming');
    await node().service.acknowledge('bob', { sessionId, upTo: 3 });
    await node().service.acknowledge('bob', { sessionId, upTo: 3, resend: true });
    expect(one.clients.of('ann')).toEqual([
      ['delivered', { sessionId, upTo: 3 }],
      ['delivered', { sessionId, upTo: 3, resend: true }],
    ]);
    expect(node().clients.of('bob')).toEqual([]);
  });

  it('are not counted as messages when they are receipts', async () => {
    const sessionId = await chat(node(), 'resuming');
    await one.service.send('ann', 'x', { seq: 1, sessionId });
    await node().service.acknowledge('bob', { sessionId, upTo: 1 });
    await one.service.endChat('ann');
    expect((await cluster.facts()).at(-1)).toMatchObject({ kind: 'ended', messages: 1 });
    expect(one.counts.local + one.counts.remote).toBe(1);
  });
});

describe('a session that a client names', () => {
  /** Ann, whose chat with bob is over, and who is in one with cid. */
  const nextChat = async (kind: 'plain' | 'resuming'): Promise<[old: string, now: string]> => {
    const old = await cluster.pair([one, 'ann'], [two, 'bob'], kind);
    await one.service.endChat('ann');
    if (kind === 'plain') one.service.connect('cid');
    else await one.service.resume('cid', undefined);
    return [old, await cluster.match([one, 'ann'], [one, 'cid'])];
  };

  describe.each(['plain', 'resuming'] as const)('that is %s', kind => {
    it('is the only one in which a message is shown', async () => {
      const [old, now] = await nextChat(kind);
      await expect(one.service.send('ann', 'meant for bob', { sessionId: old })).rejects.toMatchObject(notInChat);
      await expect(one.service.send('ann', 'too', { sessionId: old, seq: 1 })).rejects.toMatchObject(notInChat);
      await one.service.send('ann', 'meant for cid', { sessionId: now });
      expect(one.clients.texts('cid')).toEqual(['meant for cid']);
      expect(two.clients.texts('bob')).toEqual([]);
    });

    it.each(['skip', 'endChat'] as const)('is the only one that is ended: %s', async command => {
      const [old, now] = await nextChat(kind);
      await expect(one.service[command]('ann', old)).rejects.toMatchObject(notInChat);
      expect(one.service.stateOf('ann')).toEqual({ state: 'paired', sessionId: now });
      expect(one.clients.of('cid')).toEqual([]);
      await one.service[command]('ann', now);
      expect(one.clients.events('cid')).toEqual(['partner_left']);
      await expect(one.service[command]('ann', now)).rejects.toMatchObject(notInChat);
    });
  });

  it('is not ended when it began while the command waited for its turn', async () => {
    const old = await cluster.pair([one, 'ann'], [two, 'bob']);
    one.service.connect('cid');
    await one.service.search('cid');
    const held = one.store.holdReply('search');
    const skip = one.service.skip('ann', old);
    await held.came;
    const again = Promise.allSettled([one.service.skip('ann', old), one.service.endChat('ann', old)]);
    held.release();
    expect(await skip).toMatchObject({ state: 'paired' });
    expect(await again).toMatchObject([{ reason: notInChat }, { reason: notInChat }]);
    expect(one.service.stateOf('ann')).toMatchObject({ state: 'paired' });
    expect(one.clients.events('cid')).toEqual(['matched']);
  });
});

it('a message of a plain client that was held up on the way is not shown after later ones', async () => {
  one.service.connect('ann');
  two.service.connect('bob');
  await one.service.search('ann');
  await two.service.search('bob');
  const sent: RoutedMessage[] = [];
  const { send } = cluster.channels;
  jest.spyOn(cluster.channels, 'send').mockImplementation((nodeId, message) => {
    if (message.kind === 'chat') sent.push(message);
    return send.call(cluster.channels, nodeId, message);
  });
  for (const text of ['a', 'b', 'c']) await one.service.send('ann', text);
  for (const message of sent.slice(0, 2)) cluster.channels.send(two.lease.nodeId, message);
  expect(two.clients.texts('bob')).toEqual(['a', 'b', 'c']);
  expect(two.counts.dropped).toBe(2);
});

describe.each(places)('typing, %s', (_where, node) => {
  it('is told to the partner, and to nobody else', async () => {
    const sessionId = await chat(node(), 'resuming');
    await node().service.tellTyping('bob', { sessionId, typing: true });
    await node().service.tellTyping('bob', { sessionId, typing: false });
    expect(one.clients.of('ann')).toEqual([
      ['partner_typing', { sessionId, typing: true }],
      ['partner_typing', { sessionId, typing: false }],
    ]);
    expect(node().clients.of('bob')).toEqual([]);
  });

  it('is told by a plain client, and not to one', async () => {
    const sessionId = await chat(node(), 'plain');
    await node().service.tellTyping('bob', { sessionId, typing: true });
    await one.service.tellTyping('ann', { sessionId, typing: true });
    expect(one.clients.of('ann')).toEqual([['partner_typing', { sessionId, typing: true }]]);
    expect(node().clients.of('bob')).toEqual([]);
  });

  it('in another session is refused', async () => {
    const sessionId = await chat(node(), 'resuming');
    const typing = (id: string) => one.service.tellTyping('ann', { sessionId: id, typing: true });
    await expect(typing('another')).rejects.toMatchObject(notInChat);
    await one.service.endChat('ann');
    await expect(typing(sessionId)).rejects.toMatchObject(notInChat);
    expect(node().clients.events('bob')).toEqual(['partner_left']);
  });

  it('is of no interest to a partner who is away', async () => {
    const sessionId = await chat(node(), 'resuming');
    await node().service.disconnect('bob', 'lost');
    await one.service.tellTyping('ann', { sessionId, typing: true });
    expect(node().clients.of('bob')).toEqual([]);
  });
});

it('typing that comes late from another node is dropped', async () => {
  const sessionId = await chat(two, 'resuming');
  const send = (userId: string, of: string) =>
    cluster.channels.send(one.lease.nodeId, { kind: 'typing', userId, typing: { sessionId: of, typing: true } });
  send('ann', 'another');
  send('nobody', sessionId);
  expect(one.clients.of('ann')).toEqual([]);
  send('ann', sessionId);
  expect(one.clients.of('ann')).toEqual([['partner_typing', { sessionId, typing: true }]]);
});

describe.each(places)('messages to a plain client, %s', (_where, node) => {
  it('are shown in order, once, and acknowledged for it', async () => {
    const sessionId = await chat(node(), 'plain');
    const send = (seq: number) => one.service.send('ann', `${seq}`, { seq, sessionId });
    for (const seq of [1, 2, 2, 1, 4, 5, 3, 4, 5]) await send(seq);
    expect(node().clients.texts('bob')).toEqual(['1', '2', '3', '4', '5']);
    // A repetition is acknowledged again; after a gap, what is missing is asked for.
    expect(receipts(one, 'ann')).toEqual([
      { sessionId, upTo: 1 },
      { sessionId, upTo: 2 },
      { sessionId, upTo: 2 },
      { sessionId, upTo: 2 },
      { sessionId, upTo: 2, resend: true },
      { sessionId, upTo: 2, resend: true },
      { sessionId, upTo: 3 },
      { sessionId, upTo: 4 },
      { sessionId, upTo: 5 },
    ]);
    // Ann's client may not know how far it had come.
    one.clients.forgetAll();
    await one.service.acknowledge('ann', { sessionId, upTo: 0, resend: true });
    await one.service.acknowledge('ann', { sessionId, upTo: 0 });
    expect(receipts(one, 'ann')).toEqual([{ sessionId, upTo: 5 }]);
    for (const message of messages(node(), 'bob')) {
      expect(Object.keys(message).sort()).toEqual(['at', 'id', 'message']);
    }
    await node().service.endChat('bob');
    expect((await cluster.facts()).at(-1)).toMatchObject({ kind: 'ended' });
  });

  it('without a number are shown in any case, and not acknowledged', async () => {
    await chat(node(), 'plain');
    await one.service.send('ann', 'x');
    expect(node().clients.texts('bob')).toEqual(['x']);
    expect(one.clients.of('ann')).toEqual([]);
  });

  it('begin with number 1 in each session', async () => {
    const first = await chat(node(), 'plain');
    await one.service.send('ann', 'a', { seq: 1, sessionId: first });
    await one.service.endChat('ann');
    await one.service.search('ann');
    const { sessionId = '' } = await node().service.search('bob');
    await one.service.send('ann', 'b', { seq: 1, sessionId });
    expect(node().clients.texts('bob')).toEqual(['a', 'b']);
  });

  it('are counted once, whoever ends the chat', async () => {
    const sessionId = await chat(node(), 'plain');
    for (const seq of [1, 1, 3]) await one.service.send('ann', 'x', { seq, sessionId });
    await node().service.endChat('bob');
    expect((await cluster.facts()).at(-1)).toMatchObject({ kind: 'ended', messages: 1 });
  });
});

describe.each(places)('messages of a plain client, %s', (_where, node) => {
  it('have the session and no number, for one who can resume', async () => {
    await chat(node(), 'resuming');
    await one.service.endChat('ann');
    await one.service.disconnect('ann');
    one.service.connect('cid');
    await one.service.search('cid');
    const { sessionId: second } = await node().service.search('bob');
    // Whatever the input says of a number.
    const sent = await one.service.send('cid', 'hello', { seq: 7, sessionId: second ?? '' });
    expect(messages(node(), 'bob')).toEqual([{ ...sent, sessionId: second }]);
    expect(receipts(one, 'cid')).toEqual([]);
    await node().service.acknowledge('bob', { sessionId: second ?? '', upTo: 0 });
    expect(one.clients.events('cid')).toEqual(['matched']);
  });
});

describe('what belongs to another session', () => {
  it.each(places)('is refused, %s', async (_where, node) => {
    const sessionId = await chat(node(), 'resuming');
    const other = { seq: 1, sessionId: 'another' };
    await expect(one.service.send('ann', 'x', other)).rejects.toMatchObject(notInChat);
    await expect(one.service.acknowledge('ann', { sessionId: 'another', upTo: 1 })).rejects.toMatchObject(notInChat);
    await one.service.endChat('ann');
    await expect(one.service.send('ann', 'x', { seq: 1, sessionId })).rejects.toMatchObject(notInChat);
    await expect(one.service.acknowledge('ann', { sessionId, upTo: 1 })).rejects.toMatchObject(notInChat);
    expect(node().clients.events('bob')).toEqual(['partner_left']);
  });

  it('is dropped when it comes from another node', async () => {
    const sessionId = await chat(two, 'resuming');
    const send = (userId: string, receipt: Receipt) =>
      cluster.channels.send(one.lease.nodeId, { kind: 'receipt', userId, receipt });
    send('ann', { sessionId: 'another', upTo: 1 });
    send('nobody', { sessionId, upTo: 1 });
    expect(one.clients.of('ann')).toEqual([]);
    send('ann', { sessionId, upTo: 1 });
    expect(receipts(one, 'ann')).toEqual([{ sessionId, upTo: 1 }]);
  });
});

describe('a partner who is away', () => {
  it.each(places)('gets nothing, and the sender is told, %s', async (_where, node) => {
    const sessionId = await chat(node(), 'resuming');
    await node().service.disconnect('bob', 'lost');
    await expect(one.service.send('ann', 'x', { seq: 1, sessionId })).rejects.toMatchObject({
      code: 'PARTNER_AWAY',
      retryAfterMs: 1000,
    });
    // A receipt for somebody who is away is of no use: they ask again when they are back.
    await one.service.acknowledge('ann', { sessionId, upTo: 1 });
    await one.service.endChat('ann');
    expect((await cluster.facts()).at(-1)).toMatchObject({ kind: 'ended', messages: 0 });
  });

  it('is away in the moment in which the connection is lost, whatever the store knows', async () => {
    const sessionId = await chat(one, 'resuming');
    const held = one.store.holdCommand('suspend');
    const gone = one.service.disconnect('bob', 'lost');
    await held.came;
    await expect(one.service.send('ann', 'x', { seq: 1, sessionId })).rejects.toMatchObject({ code: 'PARTNER_AWAY' });
    held.release();
    await gone;
  });
});

describe('a bus that fails', () => {
  it('answers UNAVAILABLE, and nothing is counted', async () => {
    const sessionId = await chat(two, 'resuming');
    cluster.channels.broken = true;
    const unavailable = { code: 'UNAVAILABLE' };
    await expect(one.service.send('ann', 'x', { seq: 1, sessionId })).rejects.toMatchObject(unavailable);
    await expect(one.service.acknowledge('ann', { sessionId, upTo: 1 })).rejects.toMatchObject(unavailable);
    cluster.channels.broken = false;
    await one.service.endChat('ann');
    expect((await cluster.facts()).at(-1)).toMatchObject({ kind: 'ended', messages: 0 });
  });

  it('does not keep what is said again from being counted', async () => {
    const sessionId = await chat(two, 'resuming');
    const say = (seq: number) => one.service.send('ann', `${seq}`, { seq, sessionId });
    cluster.channels.broken = true;
    await Promise.allSettled([say(1), say(2)]);
    cluster.channels.broken = false;
    for (const seq of [1, 2]) await say(seq);
    await one.service.endChat('ann');
    expect((await cluster.facts()).at(-1)).toMatchObject({ kind: 'ended', messages: 2 });
  });

  it('does no harm to what is acknowledged for a plain client', async () => {
    const sessionId = await chat(two, 'plain');
    cluster.channels.hold(two.lease.nodeId);
    await one.service.send('ann', 'x', { seq: 1, sessionId });
    cluster.channels.broken = true;
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    cluster.channels.release(two.lease.nodeId);
    await settled();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(two.clients.texts('bob')).toEqual(['x']);
    expect(receipts(one, 'ann')).toEqual([]);
    cluster.channels.broken = false;
    await one.service.send('ann', 'x', { seq: 1, sessionId });
    expect(two.clients.texts('bob')).toEqual(['x']);
    expect(receipts(one, 'ann')).toEqual([{ sessionId, upTo: 1 }]);
  });
});

describe('a gap in what a node received', () => {
  it('is told to those in a chat who can resume, and asked for on behalf of plain ones', async () => {
    const sessionId = await chat(two, 'plain');
    await one.service.resume('idle', undefined);
    one.clients.forgetAll();
    await one.service.send('ann', '1', { seq: 1, sessionId });
    // Lost on the way.
    cluster.channels.hold(two.lease.nodeId);
    await one.service.send('ann', '2', { seq: 2, sessionId });
    cluster.channels.forget(two.lease.nodeId);
    one.clients.forgetAll();

    cluster.channels.miss(two.lease.nodeId);
    expect(receipts(one, 'ann')).toEqual([{ sessionId, upTo: 1, resend: true }]);
    expect(two.clients.events('bob')).toEqual(['message']);
    cluster.channels.miss(one.lease.nodeId);
    expect(one.clients.of('ann').at(-1)).toEqual(['missed', { sessionId }]);
    expect(one.clients.of('idle')).toEqual([]);
  });

  it('concerns no plain client whose partner is on the same node', async () => {
    await chat(one, 'plain');
    cluster.channels.miss(one.lease.nodeId);
    expect(one.clients.events('ann')).toEqual(['missed']);
    expect(one.clients.of('bob')).toEqual([]);
  });
});

describe('messages that wait for a command of their recipient', () => {
  it('are not lost to a plain client when too many wait: what comes later is asked for', async () => {
    await one.service.resume('ann', undefined);
    two.service.connect('bob');
    await one.service.search('ann');
    const held = two.store.holdReply('search');
    const search = two.service.search('bob');
    await held.came;
    const sessionId = one.service.stateOf('ann').sessionId ?? '';
    for (let seq = 1; seq <= 60; seq++) await one.service.send('ann', `${seq}`, { seq, sessionId });
    held.release();
    await search;
    await settled();
    await one.service.send('ann', '61', { seq: 61, sessionId });
    expect(receipts(one, 'ann').at(-1)).toEqual({ sessionId, upTo: 50, resend: true });
    for (let seq = 51; seq <= 61; seq++) await one.service.send('ann', `${seq}`, { seq, sessionId });
    expect(two.clients.texts('bob')).toEqual(Array.from({ length: 61 }, (_, i) => `${i + 1}`));
  });

  it('that cannot wait on the same node are refused, so that their sender keeps them', async () => {
    await one.service.resume('ann', undefined);
    one.service.connect('bob');
    await one.service.search('ann');
    const held = one.store.holdReply('search');
    const search = one.service.search('bob');
    await held.came;
    const sessionId = one.service.stateOf('ann').sessionId ?? '';
    for (let seq = 1; seq <= 50; seq++) await one.service.send('ann', `${seq}`, { seq, sessionId });
    await expect(one.service.send('ann', '51', { seq: 51, sessionId })).rejects.toMatchObject({ code: 'PARTNER_AWAY' });
    held.release(new ChatError('UNAVAILABLE'));
    await expect(search).rejects.toBeInstanceOf(ChatError);
  });
});
