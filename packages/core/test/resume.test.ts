import { newResumeToken } from '../src/chat/resume-token.ts';
import { ChatError } from '../src/index.ts';
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
const unavailable = { code: 'UNAVAILABLE' };

/** Connects as one who can resume. @returns the token */
async function join(node: TestNode, newUserId: string, token?: string): Promise<string> {
  const userId = await node.service.resume(newUserId, token);
  return tokenOf(node, userId);
}

function tokenOf(node: TestNode, userId: string): string {
  const welcome = node.clients.last(userId, 'welcome');
  if (!welcome) throw new Error(`Nobody welcomed ${userId}.`);
  return welcome.token;
}

/** Two new users in a chat, of whom the first can resume, and the second if `resuming`. */
async function chat(options: { bobOn?: TestNode; resuming?: boolean } = {}) {
  const { bobOn = two, resuming = false } = options;
  const token = await join(one, 'ann');
  if (resuming) await join(bobOn, 'bob');
  else bobOn.service.connect('bob');
  const sessionId = await cluster.match([one, 'ann'], [bobOn, 'bob']);
  return { token, sessionId };
}

const nodes = [
  ['on the same node', () => one],
  ['on another node', () => two],
] as const;

describe('a new client that can resume', () => {
  it('is welcomed, before anything else, with a token that is its own', async () => {
    const attached: string[] = [];
    const userId = await one.service.resume('ann', undefined, id => attached.push(id));
    expect([userId, attached]).toEqual(['ann', ['ann']]);
    expect(one.clients.of('ann')).toEqual([
      ['welcome', { token: expect.stringMatching(/^ann\./), resumed: false, graceMs, state: 'idle' }],
    ]);
    expect(one.service.present).toEqual([{ userId: 'ann', resumes: true, state: 'idle' }]);
    one.service.connect('bob');
    expect(one.service.present).toContainEqual({ userId: 'bob', resumes: false, state: 'idle' });
    expect(one.clients.of('bob')).toEqual([]);
  });
});

describe('a client that lost its connection', () => {
  it.each(nodes)('is in the same chat again, %s', async (_where, node) => {
    const { token, sessionId } = await chat();
    const { startedAt } = { startedAt: (await cluster.facts())[0]?.startedAt };
    await one.service.disconnect('ann', 'lost');
    expect(await cluster.registered('ann')).toMatchObject({ state: 'away' });
    expect(one.service.census()).toMatchObject({ paired: 0, sessions: 0 });

    const attached: string[] = [];
    expect(await node().service.resume('new socket', token, id => attached.push(id))).toBe('ann');
    expect(attached).toEqual(['ann']);
    expect(node().clients.of('ann')).toEqual([
      [
        'welcome',
        {
          token: expect.not.stringContaining(token),
          resumed: true,
          graceMs,
          state: 'paired',
          session: { sessionId, startedAt, partnerAway: false },
        },
      ],
    ]);
    expect(await cluster.homeOf('ann')).toBe(node().lease.nodeId);
    await node().service.send('ann', 'here again');
    await two.service.send('bob', 'welcome back');
    expect(two.clients.of('bob')).toEqual([
      ['message', { id: expect.any(String), message: 'here again', at: expect.any(Number) }],
    ]);
    expect(node().clients.texts('ann')).toEqual(['welcome back']);
    expect(await cluster.ended()).toEqual([]);
  });

  it.each(nodes)('has the same place in the queue, %s', async (_where, node) => {
    const [ann, bob] = [await join(one, 'ann'), await join(one, 'bob')];
    // Two who parted do not meet again while others wait: so both can wait.
    await cluster.match([one, 'ann'], [one, 'bob']);
    await one.service.endChat('ann');
    await one.service.search('ann');
    await one.service.disconnect('ann', 'lost');
    await one.service.search('bob');
    expect(await cluster.registered('bob')).toMatchObject({ state: 'waiting' });
    one.clients.forgetAll();

    // Nobody waits for somebody who is away.
    two.service.connect('cid');
    expect((await two.service.search('cid')).state).toBe('paired');
    await two.service.endChat('cid');
    await one.service.search('bob');
    await join(node(), 'x', ann);
    expect(bob).toBeDefined();
    expect(node().clients.last('ann', 'welcome')).toMatchObject({ resumed: true, state: 'waiting' });
    await settled();
    // The one who came back looks for a partner anew: there is only one.
    expect(node().clients.last('ann', 'matched')).toBeDefined();
    expect(one.clients.last('bob', 'matched')).toEqual(node().clients.last('ann', 'matched'));
  });

  it('comes back when the partner has left: the welcome tells', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'lost');
    await two.service.endChat('bob');
    await join(two, 'x', token);
    expect(two.clients.of('ann')).toMatchObject([['welcome', { resumed: true, state: 'idle' }]]);
    expect(two.clients.last('ann', 'welcome')).not.toHaveProperty('session');
    expect(await cluster.ended()).toMatchObject([{ sessionId, endReason: 'end' }]);
  });

  it('learns that the partner is away too, and when the partner is back', async () => {
    const { token, sessionId } = await chat({ resuming: true });
    const bobs = two.clients.last('bob', 'welcome');
    expect(bobs).toBeUndefined();
    await one.service.disconnect('ann', 'lost');
    await two.service.disconnect('bob', 'lost');
    await join(two, 'x', token);
    expect(two.clients.last('ann', 'welcome')).toMatchObject({ session: { sessionId, partnerAway: true } });
    await expect(two.service.send('ann', 'hello')).rejects.toMatchObject({ code: 'PARTNER_AWAY' });
  });

  it('is gone when the time is over', async () => {
    const { token, sessionId } = await chat({ resuming: true });
    await one.service.disconnect('ann', 'lost');
    await jest.advanceTimersByTimeAsync(graceMs - 1);
    expect(await cluster.ended()).toEqual([]);
    await beats(2);
    expect(two.clients.of('bob')).toEqual([
      ['partner_away', { sessionId, graceMs }],
      ['partner_left', { sessionId, reason: 'timeout' }],
    ]);
    expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
    await join(one, 'ann2', token);
    expect(one.clients.last('ann2', 'welcome')).toMatchObject({ resumed: false, state: 'idle' });
  });

  it('is gone at once if it said so', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'left');
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
    await join(one, 'ann2', token);
    expect(one.clients.last('ann2', 'welcome')).toMatchObject({ resumed: false });
  });

  it('is gone as soon as the store can be told, if it said so while the store was away', async () => {
    const { sessionId } = await chat({ resuming: true });
    one.store.away = true;
    two.store.away = true;
    await one.service.disconnect('ann', 'left');
    for (const { store } of cluster.nodes) store.away = false;
    await beats(4);
    expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
  });

  it('comes back after its node died', async () => {
    const { token, sessionId } = await chat({ resuming: true });
    one.store.away = true;
    cluster.channels.close(one.lease.nodeId);
    await beats(7);
    expect(two.clients.of('bob')).toEqual([['partner_away', { sessionId, graceMs }]]);
    await join(two, 'x', token);
    expect(two.clients.last('ann', 'welcome')).toMatchObject({ resumed: true, session: { sessionId } });
    expect(two.clients.events('bob')).toEqual(['partner_away', 'partner_back']);
    await two.service.send('bob', 'hello');
    expect(two.clients.texts('ann')).toEqual(['hello']);
  });

  it('comes back before its node is known to be dead: the partner does not notice', async () => {
    const { token } = await chat({ resuming: true });
    one.store.away = true;
    await join(two, 'x', token);
    expect(two.clients.of('bob')).toEqual([]);
    await two.service.send('bob', 'hello');
    expect(two.clients.texts('ann')).toEqual(['hello']);
    one.store.away = false;
    // The old node learned that it does not have the user any more.
    expect(one.clients.replacedUsers).toEqual(['ann']);
    expect(one.service.present).toEqual([]);
  });

  it('is away when the node stops', async () => {
    const { token, sessionId } = await chat({ resuming: true });
    await one.service.stop();
    expect(two.clients.of('bob')).toEqual([['partner_away', { sessionId, graceMs }]]);
    await join(two, 'x', token);
    expect(two.clients.last('ann', 'welcome')).toMatchObject({ resumed: true, session: { sessionId } });
  });
});

describe('what partners see', () => {
  it('tells a partner who can resume, and not a plain one', async () => {
    const { token, sessionId } = await chat({ resuming: true });
    await one.service.disconnect('ann', 'lost');
    await join(one, 'x', token);
    expect(two.clients.of('bob')).toEqual([
      ['partner_away', { sessionId, graceMs }],
      ['partner_back', { sessionId }],
    ]);
  });

  it.each([
    ['on the same node', () => one],
    ['on another node', () => two],
  ] as const)('a plain one sees only what it always saw, %s', async (_where, node) => {
    const { token, sessionId } = await chat({ bobOn: node() });
    await one.service.send('ann', 'numbered', { seq: 1, sessionId });
    await one.service.send('ann', 'not numbered');
    await one.service.disconnect('ann', 'lost');
    await expect(node().service.send('bob', 'x')).rejects.toMatchObject({ code: 'PARTNER_AWAY', retryAfterMs: 1000 });
    const back = await join(two, 'x', token);
    await two.service.send('ann', 'back', { seq: 2, sessionId });
    await two.service.acknowledge('ann', { sessionId, upTo: 0 });
    await two.service.disconnect('ann', 'lost');
    await join(one, 'x', back);
    await one.service.endChat('ann');
    const plain = (message: string) => ['message', { id: expect.any(String), message, at: expect.any(Number) }];
    expect(node().clients.of('bob')).toEqual([
      plain('numbered'),
      plain('not numbered'),
      plain('back'),
      ['partner_left', { sessionId, reason: 'end' }],
    ]);
  });
});

it('a plain partner on the same node is told the truth also while the store cannot be', async () => {
  const { sessionId } = await chat({ bobOn: one });
  one.store.away = true;
  await one.service.disconnect('ann', 'lost');
  expect(one.service.stateOf('bob')).toEqual({ state: 'paired', sessionId });
  await expect(one.service.send('bob', 'x')).rejects.toMatchObject({ code: 'PARTNER_AWAY' });
});

describe('a token', () => {
  it.each(nodes)('that two connections show belongs to the newer one, %s', async (_where, node) => {
    const { token, sessionId } = await chat({ resuming: true });
    const second = await join(node(), 'x', token);
    expect(node().clients.last('ann', 'welcome')).toMatchObject({ resumed: true, session: { sessionId } });
    // On the same node, whoever attaches the connection replaces the older one.
    expect(one.clients.replacedUsers).toEqual(node() === one ? [] : ['ann']);
    expect([...one.service.present, ...two.service.present].filter(({ userId }) => userId === 'ann')).toHaveLength(1);
    expect(second).not.toBe(token);
    expect(two.clients.of('bob')).toEqual([]);
  });

  it('is good until the next one has been used, which the client may never have got', async () => {
    const { token: first } = await chat();
    const second = await join(two, 'x', first);
    const third = await join(one, 'x', first);
    expect(one.clients.last('ann', 'welcome')).toMatchObject({ resumed: true });
    // The second one was replaced before it was used.
    await join(two, 'y', second);
    expect(two.clients.last('y', 'welcome')).toMatchObject({ resumed: false });
    const fourth = await join(two, 'x', third);
    expect(two.clients.last('ann', 'welcome')).toMatchObject({ resumed: true });
    await join(one, 'z', first);
    expect(one.clients.last('z', 'welcome')).toMatchObject({ resumed: false });
    expect(await cluster.homeOf('ann')).toBe(two.lease.nodeId);
    await join(one, 'x', fourth);
    expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
  });

  it.each([
    ['garbage', () => 'garbage'],
    ['empty', () => ''],
    ['a guess', () => newResumeToken('ann').text],
    ['of nobody', () => newResumeToken('nobody').text],
    ['of a plain user', () => newResumeToken('bob').text],
    ["another user's secret", (token: string) => token.replace('cid.', 'ann.')],
  ])('that is not good (%s) makes a new user, and nobody notices', async (_what, forge) => {
    await chat();
    const cids = await join(two, 'cid');
    await two.service.search('cid');
    const before = await Promise.all(['ann', 'bob', 'cid'].map(userId => cluster.registered(userId)));
    expect(await two.service.resume('new', forge(cids))).toBe('new');
    expect(two.clients.of('new')).toEqual([
      ['welcome', { token: expect.stringMatching(/^new\./), resumed: false, graceMs, state: 'idle' }],
    ]);
    expect(await Promise.all(['ann', 'bob', 'cid'].map(userId => cluster.registered(userId)))).toEqual(before);
    expect([one.clients.of('ann'), two.clients.of('bob')]).toEqual([[], []]);
    expect([...one.clients.replacedUsers, ...one.clients.closedUsers]).toEqual([]);
  });

  it('is of no use any more as soon as the client has sent something with the next one', async () => {
    const { token } = await chat();
    await one.service.disconnect('ann', 'lost');
    const next = await join(two, 'x', token);
    await two.service.send('ann', 'x', { seq: 1, sessionId: two.service.stateOf('ann').sessionId ?? '' });
    await settled();
    await one.service.resume('thief', token);
    expect(one.clients.last('thief', 'welcome')).toMatchObject({ resumed: false });
    await two.service.disconnect('ann', 'lost');
    await join(one, 'y', next);
    expect(one.clients.last('ann', 'welcome')).toMatchObject({ resumed: true, state: 'paired' });
  });

  it('is retired later when the store is away at first', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'lost');
    await join(two, 'x', token);
    two.store.away = true;
    await two.service.acknowledge('ann', { sessionId, upTo: 0 });
    await settled();
    two.store.away = false;
    await two.service.acknowledge('ann', { sessionId, upTo: 0 });
    await settled();
    await one.service.resume('thief', token);
    expect(one.clients.last('thief', 'welcome')).toMatchObject({ resumed: false });
  });

  it('of a user who never searched is of no use: there is nothing to come back to', async () => {
    const token = await join(one, 'ann');
    await one.service.disconnect('ann', 'lost');
    expect(await two.service.resume('ann2', token)).toBe('ann2');
  });
});

describe('a store that cannot be reached', () => {
  it('refuses a resume, and the same token works afterwards', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'lost');
    two.store.away = true;
    await expect(two.service.resume('x', token)).rejects.toMatchObject(unavailable);
    expect(two.clients.of('x')).toEqual([]);
    two.store.away = false;
    await join(two, 'x', token);
    expect(two.clients.last('ann', 'welcome')).toMatchObject({ resumed: true, session: { sessionId } });
  });

  it('lets new users in who could resume', async () => {
    one.store.away = true;
    await join(one, 'ann');
    expect(one.clients.last('ann', 'welcome')).toMatchObject({ resumed: false, state: 'idle' });
  });
});

describe('a resume whose reply is lost', () => {
  it('leaves nobody behind whom nobody is connected to', async () => {
    const { token, sessionId } = await chat({ resuming: true });
    await one.service.disconnect('ann', 'lost');
    const held = two.store.holdReply('resume');
    const resume = two.service.resume('x', token);
    await held.came;
    held.release(new ChatError('UNAVAILABLE'));
    await expect(resume).rejects.toMatchObject(unavailable);
    expect(await cluster.homeOf('ann')).toBe(two.lease.nodeId);
    await beats();
    expect(await cluster.registered('ann')).toMatchObject({ state: 'away' });
    expect(two.clients.events('bob')).toEqual(['partner_away', 'partner_back', 'partner_away']);
    // The client only has the first token.
    await join(one, 'x', token);
    expect(one.clients.last('ann', 'welcome')).toMatchObject({ resumed: true, session: { sessionId } });
    await beats(8);
    expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
  });

  it('takes nothing from a client that was back before', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'lost');
    const held = two.store.holdReply('resume');
    const resume = two.service.resume('x', token);
    await held.came;
    held.release(new ChatError('UNAVAILABLE'));
    await expect(resume).rejects.toMatchObject(unavailable);
    await join(two, 'x', token);
    await beats(2);
    expect(await cluster.homeOf('ann')).toBe(two.lease.nodeId);
    expect(two.service.stateOf('ann')).toEqual({ state: 'paired', sessionId });
    expect(two.clients.closedUsers).toEqual([]);
  });

  it('waits until nothing can follow from it any more', async () => {
    const { token } = await chat();
    await one.service.disconnect('ann', 'lost');
    two.store.settleMs = 100;
    const late = two.store.makeLate('resume');
    await expect(two.service.resume('x', token)).rejects.toMatchObject(unavailable);
    // Carried out after the next one, it would make that one's token worthless.
    await expect(two.service.resume('x', token)).rejects.toMatchObject(unavailable);
    late.release();
    await jest.advanceTimersByTimeAsync(100);
    const next = await join(two, 'x', token);
    await two.service.disconnect('ann', 'lost');
    await join(one, 'x', next);
    expect(one.clients.last('ann', 'welcome')).toMatchObject({ resumed: true, state: 'paired' });
  });
});

describe('coming and going at the same time', () => {
  it.each(['holdCommand', 'holdReply'] as const)(
    'a resume waits for the end of the old connection (%s)',
    async hold => {
      const { token, sessionId } = await chat({ resuming: true });
      const held = one.store[hold]('suspend');
      const gone = one.service.disconnect('ann', 'lost');
      await held.came;
      const resume = one.service.resume('x', token);
      await settled();
      held.release();
      await Promise.all([gone, resume]);
      await beats(2);
      expect(one.service.stateOf('ann')).toEqual({ state: 'paired', sessionId });
      expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
      expect(one.clients.closedUsers).toEqual([]);
      expect(two.clients.events('bob')).toEqual(['partner_away', 'partner_back']);
    },
  );

  it.each(['holdCommand', 'holdReply'] as const)('the old connection ends during a resume (%s)', async hold => {
    const { token, sessionId } = await chat({ resuming: true });
    const held = one.store[hold]('resume');
    const resume = one.service.resume('x', token);
    await held.came;
    const gone = one.service.disconnect('ann', 'lost');
    await settled();
    held.release();
    await Promise.all([gone, resume]);
    await beats(2);
    expect(one.service.stateOf('ann')).toEqual({ state: 'paired', sessionId });
    expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
    expect(one.clients.closedUsers).toEqual([]);
    expect(two.clients.of('bob')).toEqual([]);
  });

  it('the old connection ends during a resume that fails: the user is away', async () => {
    const { token } = await chat({ resuming: true });
    const held = one.store.holdCommand('resume');
    const resume = one.service.resume('x', token);
    await held.came;
    const gone = one.service.disconnect('ann', 'lost');
    held.release(new ChatError('UNAVAILABLE'));
    await expect(resume).rejects.toMatchObject(unavailable);
    await gone;
    expect(await cluster.registered('ann')).toMatchObject({ state: 'away' });
    expect(one.service.present).toEqual([]);
  });

  it('an end that comes too late takes nothing from a client that is back on the same node', async () => {
    const { token, sessionId } = await chat({ resuming: true });
    one.store.settleMs = 100;
    const late = one.store.makeLate('suspend');
    await one.service.disconnect('ann', 'lost');
    await expect(one.service.resume('x', token)).rejects.toMatchObject(unavailable);
    late.release();
    await jest.advanceTimersByTimeAsync(100);
    await join(one, 'x', token);
    await beats(2);
    expect(one.service.stateOf('ann')).toEqual({ state: 'paired', sessionId });
    expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
    expect(one.clients.closedUsers).toEqual([]);
  });

  it('an end that comes too late takes nothing from a client that is back on another node', async () => {
    const { token, sessionId } = await chat({ resuming: true });
    one.store.settleMs = 100;
    const late = one.store.makeLate('suspend');
    await one.service.disconnect('ann', 'lost');
    await join(two, 'x', token);
    late.release();
    await beats(2);
    expect(two.service.stateOf('ann')).toEqual({ state: 'paired', sessionId });
    expect(await cluster.homeOf('ann')).toBe(two.lease.nodeId);
    expect(two.clients.of('bob')).toEqual([]);
  });

  it('two resume at once on one node: the later one has the good token', async () => {
    const { token, sessionId } = await chat();
    const held = one.store.holdReply('resume');
    const [first, second] = [one.service.resume('x', token), one.service.resume('y', token)];
    await held.came;
    held.release();
    expect(await Promise.all([first, second])).toEqual(['ann', 'ann']);
    await one.service.disconnect('ann', 'lost');
    await join(two, 'x', tokenOf(one, 'ann'));
    expect(two.clients.last('ann', 'welcome')).toMatchObject({ resumed: true, session: { sessionId } });
  });

  it('two resume at once on two nodes: the earlier one is replaced, though its reply comes last', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'lost');
    const held = one.store.holdReply('resume');
    const first = one.service.resume('x', token);
    await held.came;
    await join(two, 'y', token);
    held.release();
    await first;
    expect(one.clients.replacedUsers).toEqual(['ann']);
    expect(one.service.present).toEqual([]);
    expect(two.service.stateOf('ann')).toEqual({ state: 'paired', sessionId });
    await two.service.send('bob', 'hello');
    expect([one.clients.texts('ann'), two.clients.texts('ann')]).toEqual([[], ['hello']]);
  });

  it('the partner leaves, after writing, before the reply to the resume comes', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'lost');
    const held = one.store.holdReply('resume');
    const resume = one.service.resume('x', token);
    await held.came;
    await two.service.send('bob', 'bye');
    await two.service.endChat('bob');
    held.release();
    await resume;
    await settled();
    expect(one.clients.events('ann')).toEqual(['welcome', 'message', 'partner_left']);
    expect(one.clients.last('ann', 'partner_left')).toEqual({ sessionId, reason: 'end' });
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
  });

  it('the partner leaves, after writing a lot, before the reply to the resume comes', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'lost');
    const held = one.store.holdReply('resume');
    const resume = one.service.resume('x', token);
    await held.came;
    for (let n = 0; n < 60; n++) await two.service.send('bob', `${n}`);
    await two.service.endChat('bob');
    held.release();
    await resume;
    await settled();
    // What was too much is lost, as it is for a plain sender; that the chat is over is not.
    expect(one.clients.texts('ann')).toHaveLength(50);
    expect(one.clients.last('ann', 'partner_left')).toEqual({ sessionId, reason: 'end' });
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
  });

  it('a client that did not wait for its turn is not taken from where it is by then', async () => {
    const { token, sessionId } = await chat();
    const held = one.store.holdReply('suspend');
    const gone = one.service.disconnect('ann', 'lost');
    await held.came;
    let isOpen = true;
    const attach = jest.fn();
    const resume = one.service.resume('x', token, attach, () => isOpen);
    isOpen = false;
    await join(two, 'y', token);
    held.release();
    await gone;
    await expect(resume).rejects.toMatchObject(unavailable);
    await beats(4);
    expect(attach).not.toHaveBeenCalled();
    expect(await cluster.homeOf('ann')).toBe(two.lease.nodeId);
    expect(two.service.stateOf('ann')).toEqual({ state: 'paired', sessionId });
    expect(two.clients.closedUsers).toEqual([]);
  });

  it('many connections do not wait for one user', async () => {
    const { token } = await chat();
    const held = one.store.holdReply('resume');
    const waiting = Array.from({ length: 10 }, () => one.service.resume('x', token));
    const results = Promise.allSettled(waiting);
    await held.came;
    held.release();
    const refused = (await results).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(7);
    for (const each of refused) expect(each).toMatchObject({ reason: unavailable });
  });

  it('nothing of a command of the old connection reaches the new one before the welcome', async () => {
    const token = await join(one, 'ann');
    two.service.connect('bob');
    await two.service.search('bob');
    one.clients.forgetAll();
    const held = one.store.holdReply('search');
    const search = one.service.search('ann');
    await held.came;
    const gone = one.service.disconnect('ann', 'lost');
    const resume = one.service.resume('x', token);
    held.release();
    await Promise.all([search, gone, resume]);
    expect(one.clients.events('ann')).toEqual(['welcome']);
    expect(one.clients.last('ann', 'welcome')).toMatchObject({ state: 'paired' });
    await one.service.send('ann', 'hello');
    expect(two.clients.texts('bob')).toEqual(['hello']);
  });

  it('nobody who ends the waiting in the moment of coming back is put into the queue again', async () => {
    const token = await join(one, 'ann');
    await one.service.search('ann');
    const held = one.store.holdCommand('leave');
    const end = one.service.endChat('ann');
    await held.came;
    const resume = one.service.resume('x', token);
    held.release();
    await Promise.all([end, resume]);
    await settled();
    expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
  });

  it('a node that loses its lease during a resume does not have the user', async () => {
    const { token } = await chat();
    await one.service.disconnect('ann', 'lost');
    const held = two.store.holdReply('resume');
    const resume = two.service.resume('x', token);
    await held.came;
    await cluster.store.releaseLease(two.lease.nodeId);
    await beats();
    held.release();
    await expect(resume).rejects.toMatchObject(unavailable);
    expect(two.service.present).toEqual([]);
  });
});

describe('the messages of a session', () => {
  it('are counted where all of them passed, and else by nobody', async () => {
    const { token, sessionId } = await chat();
    await one.service.send('ann', 'one');
    await one.service.disconnect('ann', 'lost');
    await join(two, 'x', token);
    await two.service.send('ann', 'two');
    await two.service.endChat('bob');
    expect(await cluster.ended()).toMatchObject([{ sessionId, messages: 2 }]);
  });

  it('are null when who moved ends the session', async () => {
    const { token, sessionId } = await chat();
    await one.service.disconnect('ann', 'lost');
    await join(two, 'x', token);
    await two.service.send('ann', 'two');
    await two.service.endChat('ann');
    expect(await cluster.ended()).toMatchObject([{ sessionId, messages: null }]);
  });

  it('are still known to a node on which only the connection changed', async () => {
    const { token, sessionId } = await chat();
    await one.service.send('ann', 'one');
    await join(one, 'x', token);
    await one.service.send('ann', 'two');
    await one.service.endChat('ann');
    expect(await cluster.ended()).toMatchObject([{ sessionId, messages: 2 }]);
  });
});
