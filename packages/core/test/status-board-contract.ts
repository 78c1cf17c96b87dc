import { lostLastsMs, type NodeStatus, type PairStore, type StatusBoard } from '../src/index.ts';

export interface StatusBoardBench {
  board: StatusBoard;
  /** The pool that the board is about. */
  store: PairStore;
  /** Puts on the board what a node of a later version might say. Where that cannot be, it is left out. */
  postForeign?(nodeId: string): Promise<void>;
  /** Makes what the nodes have said so far older, by whole ms. */
  age(ms: number): Promise<void>;
  /** The nodes of which anything is kept. */
  kept(): Promise<string[]>;
  close(): Promise<void>;
}

/** What a node might say. */
export function someStatus(changes: Partial<NodeStatus> = {}): NodeStatus {
  return {
    ...{ version: '1.2.3', startedAt: 5, users: { idle: 1, waiting: 2, paired: 3 }, sessions: 1, matches: 7 },
    ...{ messages: 9, errors: { UNAVAILABLE: 2 }, waitsMs: [10, 20], rssBytes: 1e8, eventLoopDelayMs: 1.5 },
    draining: false,
    ...changes,
  };
}

/** What every {@link StatusBoard} guarantees. */
export function describeStatusBoard(name: string, open: () => Promise<StatusBoardBench>): void {
  describe(`${name} as a status board`, () => {
    let bench: StatusBoardBench;
    let board: StatusBoard;
    let store: PairStore;
    const leaseMs = 60_000;
    const any = expect.any(Number);

    beforeEach(async () => {
      bench = await open();
      ({ board, store } = bench);
    });

    afterEach(async () => {
      await bench.age(lostLastsMs);
      await board.removeNode('the last one');
      await bench.close();
    });

    const lose = async (nodeId: string) => {
      await store.releaseLease(nodeId);
      await store.reap({ nodeId, limit: 100, graceMs: 1000 });
    };

    it('is empty at first', async () => {
      expect(await board.read()).toEqual({ nodes: [], lost: [], recorder: undefined, waiting: 0, oldestWaitMs: 0 });
    });

    it('tells what each node said last, and which have said nothing', async () => {
      const since = Date.now();
      for (const nodeId of ['n1', 'n2', 'n3']) await store.renewLease({ nodeId, leaseMs });
      await board.postNode('n1', someStatus({ matches: 1 }));
      await board.postNode('n2', someStatus());
      await board.postNode('n1', someStatus({ matches: 2, draining: true }));
      const { nodes } = await board.read();
      const sorted = nodes.toSorted((a, b) => a.nodeId.localeCompare(b.nodeId));
      expect(sorted).toEqual([
        { nodeId: 'n1', lapsed: false, last: { status: someStatus({ matches: 2, draining: true }), ageMs: any } },
        { nodeId: 'n2', lapsed: false, last: { status: someStatus(), ageMs: any } },
        { nodeId: 'n3', lapsed: false, last: undefined },
      ]);
      for (const { last } of sorted) expect(last?.ageMs ?? 0).toBeLessThanOrEqual(Date.now() - since + 2);
      for (const nodeId of ['n1', 'n2', 'n3']) await lose(nodeId);
    });

    it('tells that a lease is lost, until the users of the node are taken over', async () => {
      await store.renewLease({ nodeId: 'n1', leaseMs });
      await board.postNode('n1', someStatus());
      await store.releaseLease('n1');
      expect((await board.read()).nodes).toMatchObject([{ nodeId: 'n1', lapsed: true }]);
      await store.reap({ nodeId: 'n1', limit: 100, graceMs: 1000 });
      expect((await board.read()).nodes).toEqual([]);
    });

    it('keeps nothing that a node says without a lease', async () => {
      await board.postNode('n1', someStatus());
      expect(await bench.kept()).toEqual([]);
      await store.renewLease({ nodeId: 'n1', leaseMs });
      await store.releaseLease('n1');
      await board.postNode('n1', someStatus());
      expect((await board.read()).nodes).toMatchObject([{ nodeId: 'n1', last: undefined }]);
      await lose('n1');
    });

    it('tells of a node that is gone without a goodbye that it is lost', async () => {
      for (const nodeId of ['n1', 'n2']) await store.renewLease({ nodeId, leaseMs });
      for (const nodeId of ['n1', 'n2']) await board.postNode(nodeId, someStatus({ matches: 5 }));
      await bench.age(10_000);
      await board.postNode('n2', someStatus());
      expect((await board.read()).lost).toEqual([]);
      await lose('n1');
      // As when Redis hung, and did this only now.
      await board.postNode('n1', someStatus());
      const { nodes, lost } = await board.read();
      expect(nodes.map(({ nodeId }) => nodeId)).toEqual(['n2']);
      expect(lost).toEqual([{ nodeId: 'n1', last: { status: someStatus({ matches: 5 }), ageMs: any } }]);
      expect(Math.floor((lost[0]?.last.ageMs ?? 0) / 5000)).toBe(2);
      await lose('n2');
    });

    it('does not tell that a node is lost that says goodbye, nor while it may be about to', async () => {
      await store.renewLease({ nodeId: 'n1', leaseMs });
      await board.postNode('n1', someStatus());
      await lose('n1');
      expect((await board.read()).lost).toEqual([]);
      await board.removeNode('n1');
      await board.removeNode('n1');
      // Too late.
      await board.postNode('n1', someStatus());
      await bench.age(10_000);
      expect((await board.read()).lost).toEqual([]);
      expect(await bench.kept()).toEqual([]);
    });

    it('forgets a lost node after ten minutes, when another one comes or goes', async () => {
      for (const nodeId of ['n1', 'n2', 'n3']) await store.renewLease({ nodeId, leaseMs });
      await board.postNode('n1', someStatus());
      await bench.age(5 * 60_000);
      await board.postNode('n2', someStatus());
      await bench.age(5 * 60_000);
      await lose('n1');
      await lose('n2');
      expect((await board.read()).lost).toMatchObject([{ nodeId: 'n2' }]);
      await board.postNode('n3', someStatus());
      expect((await bench.kept()).toSorted()).toEqual(['n2', 'n3']);
      await bench.age(5 * 60_000);
      await lose('n3');
      await board.removeNode('n3');
      expect(await bench.kept()).toEqual([]);
    });

    it('does not understand what a node of another version says', async () => {
      if (!bench.postForeign) return;
      await store.renewLease({ nodeId: 'n1', leaseMs });
      await bench.postForeign('n1');
      expect((await board.read()).nodes).toEqual([{ nodeId: 'n1', lapsed: false, last: undefined }]);
      await lose('n1');
      expect((await board.read()).lost).toEqual([]);
      await board.removeNode('n1');
    });

    it('tells what the recorder said last, until it takes it off', async () => {
      const status = { version: '1.2.3', startedAt: 5, recording: false };
      await board.postRecorder(status);
      await board.postRecorder({ ...status, recording: true });
      expect((await board.read()).recorder).toEqual({ status: { ...status, recording: true }, ageMs: any });
      await board.removeRecorder();
      await board.removeRecorder();
      expect((await board.read()).recorder).toBeUndefined();
    });

    it('tells how many wait, and how long the first has waited', async () => {
      const since = Date.now();
      await store.renewLease({ nodeId: 'n1', leaseMs });
      await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's1' });
      const { waiting, oldestWaitMs } = await board.read();
      expect(waiting).toBe(1);
      expect(oldestWaitMs).toBeGreaterThanOrEqual(0);
      expect(oldestWaitMs).toBeLessThanOrEqual(Date.now() - since + 2);
      await lose('n1');
      expect(await board.read()).toMatchObject({ waiting: 0, oldestWaitMs: 0 });
    });
  });
}
