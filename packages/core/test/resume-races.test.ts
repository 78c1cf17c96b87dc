import { unavailable } from './held-store.ts';
import { leaseMs, settled, TestCluster, type TestNode } from './test-cluster.ts';

/* What was under way for a user on a node, while the user came back, moved to another node or left. */

let cluster: TestCluster;
let one: TestNode;
let two: TestNode;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  cluster = new TestCluster();
  [one, two] = [await cluster.startNode(), await cluster.startNode()];
  one.store.settleMs = 2000;
});

afterEach(async () => {
  for (const { store } of cluster.nodes) store.away = false;
  await cluster.stop();
  jest.useRealTimers();
});

const beats = (count = 1) => jest.advanceTimersByTimeAsync((count * leaseMs) / 4);
const tokenOf = (node: TestNode, userId: string) => node.clients.last(userId, 'welcome')?.token;

it('a command that is still under way is over before its user, who moved away, is back on the node', async () => {
  await one.service.resume('ann');
  await one.service.search('ann');
  await one.service.endChat('ann');
  const held = one.store.holdCommand('search');
  const search = one.service.search('ann');
  await held.came;
  await two.service.resume('x', tokenOf(one, 'ann'));
  await settled();
  expect(one.service.present).toEqual([]);
  const back = one.service.resume('y', tokenOf(two, 'ann'));
  await settled();
  expect(await cluster.homeOf('ann')).toBe(two.lease.nodeId);
  held.release();
  await Promise.all([search, back]);
  expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
  expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
  expect(await one.service.search('ann')).toEqual({ state: 'waiting' });
  expect(await one.service.endChat('ann')).toEqual({ state: 'idle' });
  expect(await cluster.registered('ann')).toMatchObject({ state: 'idle' });
});

it('a command that failed may be carried out late: until that is over its user, who moved away, cannot be back', async () => {
  await one.service.resume('ann');
  const late = one.store.makeLate('search');
  await expect(one.service.search('ann')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await one.service.search('ann');
  const again = one.store.makeLate('leave');
  await expect(one.service.endChat('ann')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await two.service.resume('x', tokenOf(one, 'ann'));
  await settled();
  const token = tokenOf(two, 'ann');
  await expect(one.service.resume('y', token)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  late.release();
  again.release();
  await jest.advanceTimersByTimeAsync(one.store.settleMs);
  await one.service.resume('y', token);
  expect(one.clients.last('ann', 'welcome')).toMatchObject({ resumed: true, state: 'waiting' });
});

describe('who came back to the queue, while the node looks for a partner,', () => {
  const comeBack = async () => {
    await one.service.resume('ann');
    await one.service.search('ann');
    await one.service.disconnect('ann', 'lost');
    const held = one.store.holdCommand('search');
    await one.service.resume('x', tokenOf(one, 'ann'));
    await held.came;
    expect(one.clients.last('ann', 'welcome')).toMatchObject({ state: 'waiting' });
    one.clients.forgetAll();
    return held;
  };

  it('is not matched again after a partner who has come and left', async () => {
    const held = await comeBack();
    two.service.connect('bob');
    const { sessionId } = await two.service.search('bob');
    await two.service.endChat('bob');
    held.release();
    await settled();
    expect(one.clients.events('ann')).toEqual(['matched', 'partner_left']);
    expect(one.clients.last('ann', 'partner_left')).toEqual({ sessionId, reason: 'end' });
    expect(one.service.stateOf('ann')).toEqual({ state: 'idle' });
    expect(await two.service.search('bob')).toEqual({ state: 'waiting' });
  });

  it('waits on if no word of that partner has come', async () => {
    const held = await comeBack();
    two.service.connect('bob');
    cluster.channels.hold(one.lease.nodeId);
    await two.service.search('bob');
    await two.service.endChat('bob');
    cluster.channels.forget(one.lease.nodeId);
    held.release();
    await settled();
    expect(one.clients.of('ann')).toEqual([]);
    expect(one.service.stateOf('ann')).toEqual({ state: 'waiting' });
    two.service.connect('cid');
    expect(await two.service.search('cid')).toMatchObject({ state: 'paired' });
    expect(one.clients.events('ann')).toEqual(['matched']);
  });
});

it('who left meanwhile is not restored for long by a comparison, and is not expected back after a goodbye', async () => {
  const sessionId = await cluster.pair([one, 'ann'], [two, 'bob'], 'resuming');
  const held = one.store.holdCommand('sync');
  cluster.channels.miss(one.lease.nodeId);
  await jest.advanceTimersByTimeAsync(60);
  await held.came;
  await one.service.disconnect('ann', 'left');
  expect(two.clients.of('bob')).toEqual([['partner_left', { sessionId, reason: 'disconnect' }]]);
  held.release();
  await beats(4);
  expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
});

it('who moved away and said goodbye there is not brought back by the node that did not hear of it', async () => {
  await one.service.resume('ann');
  await one.service.search('ann');
  cluster.channels.hold(one.lease.nodeId);
  await two.service.resume('x', tokenOf(one, 'ann'));
  await two.service.disconnect('ann', 'left');
  cluster.channels.forget(one.lease.nodeId);
  cluster.channels.release(one.lease.nodeId);
  cluster.channels.miss(one.lease.nodeId);
  await beats();
  expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
  expect(one.service.present).toEqual([]);
  expect(one.clients.replacedUsers).toEqual(['ann']);
  two.service.connect('cid');
  expect(await two.service.search('cid')).toEqual({ state: 'waiting' });
});

it('who came back is not taken away by what was said of the absence', async () => {
  await one.service.resume('ann');
  await two.service.resume('bob');
  const token = tokenOf(one, 'ann');
  await cluster.match([one, 'ann'], [two, 'bob']);
  const suspend = one.store.holdCommand('suspend');
  const gone = one.service.disconnect('ann', 'lost');
  await suspend.came;
  suspend.release(unavailable());
  await gone;
  const held = one.store.holdCommand('disown');
  await beats(3);
  await held.came;
  await expect(one.service.resume('y', token)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  held.release();
  await settled();
  await one.service.resume('y', token);
  await beats(3);
  expect(one.service.stateOf('ann')).toMatchObject({ state: 'paired' });
  expect(await cluster.homeOf('ann')).toBe(one.lease.nodeId);
  expect(two.clients.events('bob').slice(-2)).toEqual(['partner_away', 'partner_back']);
});

it('who left is not brought back by a search that was given twice, and is carried out once more after the goodbye', async () => {
  one.service.connect('ann');
  let again: () => Promise<unknown> = async () => undefined;
  const search = one.store.search.bind(one.store);
  jest.spyOn(one.store, 'search').mockImplementationOnce(command => {
    again = () => search(command);
    command.repeated?.();
    return search(command);
  });
  await one.service.search('ann');
  await one.service.disconnect('ann', 'left');
  two.service.connect('bob');
  await again();
  await beats(4);
  expect(await cluster.registered('ann')).toEqual({ state: 'idle', revision: 0 });
  two.clients.forgetAll();
  expect(await two.service.search('bob')).toEqual({ state: 'waiting' });
});
