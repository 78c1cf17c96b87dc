import { ChatError, Lease, MemoryChannels, MemoryOutbox, MemoryPairStore } from '../src/index.ts';
import { HeldStore } from './held-store.ts';

const leaseMs = 4000;

let model: MemoryPairStore;
let store: HeldStore;
let lease: Lease;
let story: string[];
let log: string[];

const hooks = {
  begin: async (nodeId: string) => void story.push(`begin ${nodeId}`),
  renewed: async () => void story.push('renewed'),
  lost: () => void story.push('lost'),
};

/** Lets a number of heartbeats happen. */
const beats = (count: number) => jest.advanceTimersByTimeAsync((count * leaseMs) / 4);

function newLease(): Lease {
  const note = (_fields: object, text: string) => void log.push(text);
  return new Lease({ store, leaseMs, log: { info: note, warn: note } });
}

/** Whether the store takes a node's lease for valid. */
async function isValid(nodeId: string): Promise<boolean> {
  const command = { userId: `asks for ${nodeId}`, nodeId, requestId: 1 };
  try {
    await model.search({ ...command, sessionId: 's' });
  } catch {
    return false;
  }
  await model.leave({ ...command, requestId: 2, reason: 'end', messages: 0, forget: true });
  return true;
}

beforeEach(() => {
  jest.useFakeTimers();
  model = new MemoryPairStore({ channels: new MemoryChannels(), outbox: new MemoryOutbox() });
  store = new HeldStore(model);
  story = [];
  log = [];
  lease = newLease();
});

afterEach(async () => {
  store.away = false;
  await lease.stop();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('Lease', () => {
  it('is taken once the node listens, under a name that no node had', async () => {
    expect([lease.held, lease.nodeId]).toEqual([false, '']);
    let validAtBegin: boolean | undefined;
    const begin = async (nodeId: string) => {
      validAtBegin = await isValid(nodeId);
    };
    await lease.start({ ...hooks, begin });
    expect(validAtBegin).toBe(false);
    expect(lease.held).toBe(true);
    expect(await isValid(lease.nodeId)).toBe(true);
    const other = newLease();
    await other.start(hooks);
    expect(other.nodeId).not.toBe(lease.nodeId);
    await other.stop();
  });

  it('is renewed four times in its length, for as long as it takes', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    await beats(4);
    expect(story).toEqual([`begin ${nodeId}`, ...Array(5).fill('renewed')]);
    await beats(100);
    expect([lease.held, lease.nodeId, await isValid(nodeId)]).toEqual([true, nodeId, true]);
  });

  it('is taken at a later heartbeat when the store cannot be reached at the start', async () => {
    store.away = true;
    await lease.start(hooks);
    await beats(3);
    expect(lease.held).toBe(false);
    expect(story.filter(each => each === 'renewed')).toEqual([]);
    store.away = false;
    await beats(1);
    expect(lease.held).toBe(true);
    expect(story.at(-2)).toBe(`begin ${lease.nodeId}`);
    expect(await isValid(lease.nodeId)).toBe(true);
  });

  it('is taken at a later heartbeat when the node cannot listen at the start', async () => {
    let failures = 2;
    const begin = async (nodeId: string) => {
      if (failures-- > 0) throw new ChatError('UNAVAILABLE');
      await hooks.begin(nodeId);
    };
    await lease.start({ ...hooks, begin });
    await beats(1);
    expect(lease.held).toBe(false);
    await beats(1);
    expect(lease.held).toBe(true);
  });

  it('outlives a short absence of the store, of which the log tells once', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    log = [];
    store.away = true;
    await beats(2);
    expect(lease.held).toBe(false);
    store.away = false;
    await beats(1);
    expect([lease.held, lease.nodeId]).toEqual([true, nodeId]);
    expect(story).not.toContain('lost');
    expect(log).toEqual([
      'The store cannot be reached. The node keeps its users and tries again.',
      'The store can be reached again.',
    ]);
  });

  it('is lost when it lapsed meanwhile, and another one begins under another name', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    store.away = true;
    await beats(5);
    expect(story).not.toContain('lost');
    store.away = false;
    await beats(1);
    expect(story.at(-1)).toBe('lost');
    expect(lease.held).toBe(false);
    await beats(1);
    expect(story.slice(-2)).toEqual([`begin ${lease.nodeId}`, 'renewed']);
    expect(lease.held).toBe(true);
    expect(lease.nodeId).not.toBe(nodeId);
    expect(await isValid(nodeId)).toBe(false);
  });

  it('is lost once when the store refused it elsewhere, and only if it is still this one', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    lease.lose('another node');
    expect(lease.held).toBe(true);
    lease.lose(nodeId);
    lease.lose(nodeId);
    expect(lease.held).toBe(false);
    expect(story.filter(each => each === 'lost')).toHaveLength(1);
    await beats(1);
    expect(lease.held).toBe(true);
    lease.lose(nodeId);
    expect(lease.held).toBe(true);
  });

  it('ends the chats of nodes whose lease lapsed, all of them', async () => {
    await model.register('dead', 500);
    const users = Array.from({ length: 250 }, (_, i) => `user-${i}`);
    for (const userId of users) await model.search({ userId, nodeId: 'dead', requestId: 1, sessionId: `of ${userId}` });
    await lease.start(hooks);
    await beats(1);
    for (const userId of users) {
      const command = { userId, nodeId: 'dead', requestId: 0, reason: 'end', messages: 0, forget: false } as const;
      expect(await model.leave(command)).toEqual([{ userId, revision: 0, state: 'idle' }]);
    }
    expect((await model.renewLease(lease.nodeId, leaseMs)).lapsed).toEqual([]);
  });

  it('keeps beating when the store goes away while it reaps', async () => {
    await model.register('dead', 500);
    await lease.start(hooks);
    const reap = jest.spyOn(store, 'reap').mockRejectedValueOnce(new ChatError('UNAVAILABLE'));
    await beats(1);
    expect(lease.held).toBe(false);
    await beats(1);
    expect(lease.held).toBe(true);
    expect(reap).toHaveBeenCalledTimes(2);
  });

  it('is given back at the end, with all that is left of the node', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    await model.search({ userId: 'ann', nodeId, requestId: 1, sessionId: 's' });
    await lease.stop();
    expect(lease.held).toBe(false);
    expect(await isValid(nodeId)).toBe(false);
    await model.register('other', leaseMs);
    expect(await model.renewLease('other', leaseMs)).toEqual({ lapsed: [] });
    const beaten = story.length;
    await beats(8);
    expect(story).toHaveLength(beaten);
  });

  it('rejects the stop when it cannot be given back', async () => {
    await lease.start(hooks);
    store.away = true;
    await expect(lease.stop()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(lease.held).toBe(false);
  });

  it('is given back when the stop comes during the start', async () => {
    let listens = (): void => undefined;
    const begin = () =>
      new Promise<void>(resolve => {
        listens = resolve;
      });
    const started = lease.start({ ...hooks, begin });
    const stopped = lease.stop();
    listens();
    await Promise.all([started, stopped]);
    await beats(8);
    expect(lease.held).toBe(false);
    expect(await isValid(lease.nodeId)).toBe(false);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is not taken when the stop comes before the start', async () => {
    await lease.stop();
    await lease.start(hooks);
    await beats(2);
    expect([lease.held, story]).toEqual([false, []]);
  });

  it('is given back when the stop comes during a heartbeat', async () => {
    await lease.start(hooks);
    let answer = (): void => undefined;
    jest.spyOn(store, 'renewLease').mockImplementationOnce(async (nodeId, ms) => {
      await new Promise<void>(resolve => {
        answer = resolve;
      });
      return model.renewLease(nodeId, ms);
    });
    await beats(1);
    const stopped = lease.stop();
    answer();
    await stopped;
    expect(await isValid(lease.nodeId)).toBe(false);
  });
});
