import { leaseMs, settled, TestCluster, type TestNode } from './test-cluster.ts';

const count = 450;
const slice = 100;

let cluster: TestCluster;
let one: TestNode;
let two: TestNode;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  cluster = new TestCluster();
  [one, two] = [await cluster.startNode(), await cluster.startNode()];
});

afterEach(async () => {
  await cluster.stop();
  jest.useRealTimers();
});

const beats = (n = 1) => jest.advanceTimersByTimeAsync((n * leaseMs) / 4);

/** Lets turns of the event loop happen until nothing changes any more. */
async function turns(): Promise<void> {
  for (let i = 0; i < (2 * count) / slice; i++) await settled();
}

async function pairAll(): Promise<void> {
  for (let i = 0; i < count; i++) await cluster.pair([one, `a${i}`], [two, `b${i}`], 'resuming');
}

/** How many such calls of the node were under way at once, at the most. */
function mostAtOnce(node: TestNode, call: 'suspend' | 'leave'): () => number {
  let [underWay, most] = [0, 0];
  const inner = node.store[call].bind(node.store);
  jest.spyOn(node.store, call).mockImplementation(async command => {
    most = Math.max(most, ++underWay);
    await settled();
    return inner(command as never).finally(() => underWay--);
  });
  return () => most;
}

it('those who may have missed something are told a slice at a time', async () => {
  await pairAll();
  const told = () => Array.from({ length: count }, (_, i) => one.clients.events(`a${i}`)).flat();
  cluster.channels.miss(one.lease.nodeId);
  expect(told()).toHaveLength(slice);
  await turns();
  expect(told()).toEqual(Array(count).fill('missed'));
});

it('they are told nothing more once the lease is lost', async () => {
  await pairAll();
  const told = () => Array.from({ length: count }, (_, i) => one.clients.events(`a${i}`)).flat();
  cluster.channels.miss(one.lease.nodeId);
  const now = performance.now.bind(performance);
  const later = jest.spyOn(performance, 'now').mockImplementation(() => now() + 2 * leaseMs);
  one.lease.check();
  later.mockRestore();
  expect(one.clients.closed).toBe(1);
  await turns();
  expect(told()).toHaveLength(slice);
});

it('a node that stops gives up its users a slice at a time', async () => {
  await pairAll();
  const most = mostAtOnce(one, 'suspend');
  await one.service.stop();
  expect(most()).toBe(slice);
  expect(one.service.present).toEqual([]);
  expect(two.clients.events('b7')).toEqual(['partner_away']);
});

it('chats that nobody confirms are ended a slice at a time', async () => {
  await pairAll();
  two.store.away = true;
  cluster.store.loseData();
  const most = mostAtOnce(one, 'leave');
  for (let beat = 0; beat < 8; beat++) {
    await beats();
    await turns();
  }
  expect(most()).toBe(slice);
  expect(one.service.census()).toMatchObject({ paired: 0 });
  expect(one.clients.events('a7')).toEqual(['partner_left']);
  two.store.away = false;
});

it('a lease that is lost is lost for all of them at once, and those in a chat are named', async () => {
  await pairAll();
  one.service.connect('idle');
  await cluster.store.releaseLease(one.lease.nodeId);
  const closeAll = jest.spyOn(one.clients, 'closeAll');
  let left: unknown;
  one.clients.onCloseAll = () => {
    left = [one.service.present, one.service.stateOf('a7')];
  };
  await beats(2);
  expect(closeAll.mock.calls).toEqual([[Array.from({ length: count }, (_, i) => `a${i}`)]]);
  expect(left).toEqual([[], { state: 'idle' }]);
  await expect(one.service.send('a7', 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
