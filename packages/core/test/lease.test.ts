import { ChatError, Lease, MemoryChannels, MemoryOutbox, MemoryPairStore } from '../src/index.ts';
import { HeldStore } from './held-store.ts';

const leaseMs = 4000;
const graceMs = 10_000;

let model: MemoryPairStore;
let store: HeldStore;
let lease: Lease;
let story: string[];
let log: string[];

const hooks = {
  begin: async (nodeId: string) => void story.push(`begin ${nodeId}`),
  renewed: () => void story.push('renewed'),
  doubtful: () => void story.push('doubtful'),
  lost: () => void story.push('lost'),
};

/** Lets a number of heartbeats happen. */
const beats = (count: number) => jest.advanceTimersByTimeAsync((count * leaseMs) / 4);

function newLease(): Lease {
  const note = (_fields: object, text: string) => void log.push(text);
  return new Lease({ store, leaseMs, graceMs, log: { info: note, warn: note } });
}

/** Whether the store takes a node's lease for valid. */
async function isValid(nodeId: string): Promise<boolean> {
  const command = { userId: `asks for ${nodeId}`, nodeId, requestId: 1 };
  try {
    await model.search({ ...command, revision: 0, sessionId: 's' });
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
  jest.restoreAllMocks();
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
    // Whoever begins knows nothing for sure.
    expect(story).toEqual([`begin ${nodeId}`, 'doubtful', ...Array(5).fill('renewed')]);
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
    expect(story.slice(-3)).toEqual([`begin ${lease.nodeId}`, 'doubtful', 'renewed']);
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

  it('is doubtful after an absence of the store, however short', async () => {
    await lease.start(hooks);
    story = [];
    store.away = true;
    await beats(1);
    store.away = false;
    await beats(2);
    expect(story).toEqual(['doubtful', 'renewed', 'renewed']);
  });

  it('is prolonged after it lapsed, unless another node began to reap it', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    store.away = true;
    await beats(40);
    expect((await model.renewLease({ nodeId: 'other', leaseMs })).lapsed).toEqual([nodeId]);
    store.away = false;
    await beats(1);
    expect([lease.held, lease.nodeId, await isValid(nodeId)]).toEqual([true, nodeId, true]);
    expect(story).not.toContain('lost');
  });

  it('is lost when another node began to reap it, and another one begins under another name', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    store.away = true;
    await beats(5);
    await model.reap({ nodeId, limit: 10, graceMs });
    expect(story).not.toContain('lost');
    store.away = false;
    await beats(1);
    expect(story.at(-1)).toBe('lost');
    expect([lease.held, lease.actsAs(nodeId)]).toEqual([false, false]);
    await beats(1);
    expect(story.slice(-3)).toEqual([`begin ${lease.nodeId}`, 'doubtful', 'renewed']);
    expect(lease.held).toBe(true);
    expect(lease.nodeId).not.toBe(nodeId);
    expect([lease.actsAs(lease.nodeId), lease.actsAs(nodeId)]).toEqual([true, false]);
    expect(await isValid(nodeId)).toBe(false);
  });

  it('is taken again, and everything is doubtful, when the store has lost its data', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    story = [];
    model.loseData();
    await beats(1);
    expect(story).toEqual(['doubtful', 'renewed']);
    expect([lease.nodeId, await isValid(nodeId)]).toEqual([nodeId, true]);
    expect(log).toContain('The store has lost its data. What this node knows of its users is restored.');
    await beats(1);
    expect(story).toEqual(['doubtful', 'renewed', 'renewed']);
  });

  describe('of a process that was stopped', () => {
    let sleptMs = 0;
    beforeEach(() => {
      sleptMs = 0;
      const now = performance.now.bind(performance);
      jest.spyOn(performance, 'now').mockImplementation(() => now() + sleptMs);
    });
    /** The process does nothing for so long, and then what it was to do first; other clocks go on. */
    function sleep(ms: number): void {
      sleptMs += ms;
      jest.setSystemTime(Date.now() + ms);
    }

    it('for longer than the lease is lost before anything else is done', async () => {
      await lease.start(hooks);
      const { nodeId } = lease;
      sleep(leaseMs + 1);
      lease.check();
      expect(story.at(-1)).toBe('lost');
      lease.check();
      expect(story.filter(each => each === 'lost')).toHaveLength(1);
      expect([lease.held, lease.actsAs(nodeId)]).toEqual([false, false]);
      await beats(1);
      expect(lease.held).toBe(true);
      expect(lease.nodeId).not.toBe(nodeId);
      expect(await isValid(nodeId)).toBe(false);
    });

    it('is lost by the first question whether it is held', async () => {
      await lease.start(hooks);
      sleep(leaseMs + 1);
      expect(lease.held).toBe(false);
      expect(story.at(-1)).toBe('lost');
    });

    it('is lost by itself when nobody asks', async () => {
      await lease.start(hooks);
      sleep(leaseMs + 1);
      await jest.advanceTimersByTimeAsync(leaseMs / 8);
      expect(story.at(-1)).toBe('lost');
    });

    it('for less than the lease is kept', async () => {
      await lease.start(hooks);
      const { nodeId } = lease;
      sleep(leaseMs * 0.6);
      lease.check();
      await beats(2);
      expect([lease.held, lease.nodeId]).toEqual([true, nodeId]);
      expect(story).not.toContain('lost');
    });

    it('while a heartbeat was under way is lost, whatever the answer says', async () => {
      await lease.start(hooks);
      const { nodeId } = lease;
      const held = store.holdReply('renewLease');
      await beats(1);
      await held.came;
      sleep(leaseMs + 1);
      held.release();
      await jest.advanceTimersByTimeAsync(0);
      lease.check();
      expect(story.at(-1)).toBe('lost');
      await beats(2);
      expect(lease.nodeId).not.toBe(nodeId);
      expect(lease.held).toBe(true);
    });

    it('that was asleep reaps nobody before it was awake for a whole lease', async () => {
      await lease.start(hooks);
      await beats(8);
      await model.renewLease({ nodeId: 'also stopped', leaseMs });
      const reap = jest.spyOn(store, 'reap');
      sleep(leaseMs + 1);
      await beats(4);
      expect(lease.held).toBe(true);
      expect(reap).not.toHaveBeenCalled();
      await beats(2);
      expect(reap).toHaveBeenCalledWith({ nodeId: 'also stopped', limit: 100, graceMs });
    });

    it('without a connection to the store keeps it: only sleep counts', async () => {
      await lease.start(hooks);
      const { nodeId } = lease;
      store.away = true;
      await beats(40);
      lease.check();
      expect(story).not.toContain('lost');
      expect(lease.actsAs(nodeId)).toBe(true);
    });
  });

  it('is lost while a renewal is under way: its answer is not taken for the next one', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    const held = store.holdReply('renewLease');
    await beats(1);
    await held.came;
    const now = performance.now.bind(performance);
    const later = jest.spyOn(performance, 'now').mockImplementation(() => now() + 2 * leaseMs);
    lease.check();
    later.mockRestore();
    expect(story.at(-1)).toBe('lost');
    story = [];
    held.release();
    await jest.advanceTimersByTimeAsync(0);
    expect([story, lease.held, lease.actsAs(nodeId)]).toEqual([[], false, false]);
    await beats(1);
    expect(story[0]).toBe(`begin ${lease.nodeId}`);
    expect(lease.nodeId).not.toBe(nodeId);
  });

  describe('in doubt', () => {
    it('asks the store at once', async () => {
      await lease.start(hooks);
      await beats(1);
      await jest.advanceTimersByTimeAsync(leaseMs / 8);
      story = [];
      lease.doubt();
      await jest.advanceTimersByTimeAsync(0);
      expect(story).toEqual(['doubtful', 'renewed']);
      await beats(1);
      expect(story).toEqual(['doubtful', 'renewed', 'renewed']);
    });

    it('does not ask faster and faster', async () => {
      await lease.start(hooks);
      const before = store.renewals;
      for (let ms = 0; ms < 1000; ms++) {
        lease.doubt();
        await jest.advanceTimersByTimeAsync(1);
      }
      expect(store.renewals - before).toBeLessThanOrEqual(20);
      expect(store.renewals - before).toBeGreaterThan(10);
    });

    it('does not ask a store faster that cannot be reached, and doubts until it can', async () => {
      await lease.start(hooks);
      await beats(1);
      store.away = true;
      await beats(1);
      story = [];
      const before = store.renewals;
      for (let ms = 0; ms < leaseMs; ms++) {
        lease.doubt();
        await jest.advanceTimersByTimeAsync(1);
      }
      expect(store.renewals - before).toBe(4);
      store.away = false;
      await beats(1);
      expect(story).toEqual(['doubtful', 'renewed']);
    });
  });

  describe('reaping', () => {
    const reaped = (nodeId: string) => story.includes(`reap ${nodeId}`);
    beforeEach(() => {
      const { reap } = store;
      jest.spyOn(store, 'reap').mockImplementation(node => {
        story.push(`reap ${node.nodeId}`);
        return reap.call(store, node);
      });
    });

    it('waits until the store could be reached for a whole lease', async () => {
      await model.renewLease({ nodeId: 'dead', leaseMs: 1 });
      await lease.start(hooks);
      await beats(3);
      expect(reaped('dead')).toBe(false);
      await beats(1);
      expect(reaped('dead')).toBe(true);
    });

    it('waits anew after each interruption', async () => {
      await lease.start(hooks);
      await beats(8);
      await model.renewLease({ nodeId: 'dead', leaseMs: 1 });
      store.away = true;
      await beats(1);
      store.away = false;
      await beats(4);
      expect(reaped('dead')).toBe(false);
      await beats(1);
      expect(reaped('dead')).toBe(true);
    });

    it('waits anew after each answer that took long', async () => {
      await lease.start(hooks);
      await beats(8);
      const held = store.holdReply('renewLease');
      await beats(3);
      await model.renewLease({ nodeId: 'dead', leaseMs: 1 });
      held.release();
      await beats(3);
      expect(reaped('dead')).toBe(false);
      await beats(2);
      expect(reaped('dead')).toBe(true);
    });

    it('takes over all users of a large node without a pause, and beats on time meanwhile', async () => {
      await model.renewLease({ nodeId: 'dead', leaseMs: 500 });
      for (let i = 0; i < 2500; i++) {
        await model.sync('dead', [{ userId: `user-${i}`, revision: 1, requestId: 1, state: 'idle' }]);
      }
      const batchMs = leaseMs / 40;
      jest.spyOn(store, 'reap').mockImplementation(async node => {
        if (node.nodeId === 'dead') await new Promise(resolve => setTimeout(resolve, batchMs));
        return model.reap(node);
      });
      await lease.start(hooks);
      await beats(4);
      const renewals = jest.spyOn(store, 'renewLease');
      await jest.advanceTimersByTimeAsync(30 * batchMs);
      expect((await model.usersOf('dead')).userIds).toHaveLength(0);
      expect(store.reap).toHaveBeenLastCalledWith({ nodeId: 'dead', limit: 100, graceMs });
      expect(renewals.mock.calls.length).toBeGreaterThanOrEqual(2);
      expect(lease.held).toBe(true);
      expect((await model.renewLease({ nodeId: lease.nodeId, leaseMs })).lapsed).toEqual([]);
    });

    it('of ten dead nodes does not delay the own heartbeat, however slow the store is with it', async () => {
      for (let i = 0; i < 10; i++) {
        await model.renewLease({ nodeId: `dead${i}`, leaseMs: 500 });
        await model.sync(`dead${i}`, [{ userId: `user-${i}`, revision: 1, requestId: 1, state: 'idle' }]);
      }
      let underWay = 0;
      let mostUnderWay = 0;
      const slowly = async <Reply>(run: () => Promise<Reply>): Promise<Reply> => {
        mostUnderWay = Math.max(mostUnderWay, ++underWay);
        await new Promise(resolve => setTimeout(resolve, leaseMs / 2));
        underWay--;
        return run();
      };
      jest.spyOn(store, 'reap').mockImplementation(node => slowly(() => model.reap(node)));
      jest.spyOn(store, 'expire').mockImplementation(limit => slowly(() => model.expire(limit)));
      await lease.start(hooks);
      const { nodeId } = lease;
      await beats(4);
      for (let beat = 0; beat < 24; beat++) {
        const before = store.renewals;
        await beats(1);
        expect(store.renewals).toBe(before + 1);
        expect(lease.held).toBe(true);
      }
      expect([lease.nodeId, mostUnderWay]).toEqual([nodeId, 1]);
      const { lapsed } = await model.renewLease({ nodeId, leaseMs });
      expect(lapsed).toEqual([]);
      // The lease is given back without a timer.
      jest.mocked(store.reap).mockRestore();
    });

    it('waits while a renewal is under way, and ends when that took long', async () => {
      await model.renewLease({ nodeId: 'dead', leaseMs: 500 });
      for (let i = 0; i < 250; i++) {
        await model.sync('dead', [{ userId: `user-${i}`, revision: 1, requestId: 1, state: 'idle' }]);
      }
      await lease.start(hooks);
      await beats(3);
      let answer: (() => void) | undefined;
      const reap = jest.spyOn(store, 'reap').mockImplementation(async node => {
        await new Promise<void>(resolve => {
          answer = resolve;
        });
        return model.reap(node);
      });
      await beats(1);
      expect(reap).toHaveBeenCalledTimes(1);
      const held = store.holdReply('renewLease');
      await beats(1);
      await held.came;
      answer?.();
      await beats(2);
      expect(reap).toHaveBeenCalledTimes(1);
      held.release();
      await beats(3);
      expect(reap).toHaveBeenCalledTimes(1);
      reap.mockRestore();
      await beats(2);
      expect((await model.usersOf('dead')).userIds).toHaveLength(0);
      expect(lease.held).toBe(true);
    });

    it('that is under way ends with its batch when the node stops', async () => {
      await model.renewLease({ nodeId: 'dead', leaseMs: 500 });
      for (let i = 0; i < 250; i++) {
        await model.sync('dead', [{ userId: `user-${i}`, revision: 1, requestId: 1, state: 'idle' }]);
      }
      await lease.start(hooks);
      await beats(3);
      const held = store.holdReply('reap');
      await beats(1);
      await held.came;
      const stopped = lease.stop();
      held.release();
      await stopped;
      expect((await model.usersOf('dead')).userIds).toHaveLength(150);
    });

    it('ends the sessions of users who were away for too long', async () => {
      await lease.start(hooks);
      const { nodeId } = lease;
      await model.search({ userId: 'ann', nodeId, requestId: 1, revision: 0, sessionId: 's', token: 't' });
      await model.suspend({ userId: 'ann', nodeId, requestId: 2, graceMs });
      const resume = () => model.resume({ userId: 'ann', nodeId, token: 't', nextToken: 't' });
      await jest.advanceTimersByTimeAsync(graceMs - 1);
      expect(await resume()).toBeDefined();
      await model.suspend({ userId: 'ann', nodeId, requestId: 3, graceMs });
      await jest.advanceTimersByTimeAsync(graceMs + leaseMs / 4);
      expect(await resume()).toBeUndefined();
    });
  });

  it('keeps beating when it cannot reap, which it tries again after a whole lease', async () => {
    await model.renewLease({ nodeId: 'dead', leaseMs: 500 });
    await lease.start(hooks);
    const reap = jest.spyOn(store, 'reap').mockRejectedValueOnce(new ChatError('UNAVAILABLE'));
    await beats(5);
    expect(reap).toHaveBeenCalledTimes(1);
    expect(lease.held).toBe(true);
    expect(log).toContain('What fell due in the pool could not be taken over. It will be tried again.');
    await beats(2);
    expect(reap).toHaveBeenCalledTimes(1);
    await beats(2);
    expect(reap.mock.calls.length).toBeGreaterThan(1);
    expect(store.renewals).toBe(10);
  });

  it('is given back at the end, with all that is left of the node', async () => {
    await lease.start(hooks);
    const { nodeId } = lease;
    await model.search({ userId: 'ann', nodeId, requestId: 1, revision: 0, sessionId: 's' });
    await lease.stop();
    expect(lease.held).toBe(false);
    expect(await isValid(nodeId)).toBe(false);
    expect(await model.renewLease({ nodeId: 'other', leaseMs })).toMatchObject({ lapsed: [] });
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
    jest.spyOn(store, 'renewLease').mockImplementationOnce(async renewed => {
      await new Promise<void>(resolve => {
        answer = resolve;
      });
      return model.renewLease(renewed);
    });
    await beats(1);
    const stopped = lease.stop();
    answer();
    await stopped;
    expect(await isValid(lease.nodeId)).toBe(false);
  });
});
