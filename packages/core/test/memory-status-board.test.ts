import { MemoryChannels, MemoryOutbox, MemoryPairStore, MemoryStatusBoard } from '../src/index.ts';
import { describeStatusBoard, someStatus } from './status-board-contract.ts';

describeStatusBoard('MemoryStatusBoard', async () => {
  const store = new MemoryPairStore({ channels: new MemoryChannels(), outbox: new MemoryOutbox() });
  let laterMs = 0;
  const board = new MemoryStatusBoard(store, () => Date.now() + laterMs);
  const age = async (ms: number) => {
    laterMs += ms;
  };
  return { board, store, age, kept: async () => board.kept, close: async () => undefined };
});

it('MemoryStatusBoard tells how old it all is', async () => {
  let now = 1000;
  const outbox = new MemoryOutbox();
  const store = new MemoryPairStore({ channels: new MemoryChannels(), outbox, now: () => now });
  const board = new MemoryStatusBoard(store, () => now);
  await store.renewLease({ nodeId: 'n1', leaseMs: 5000 });
  await board.postNode('n1', someStatus());
  await board.postRecorder({ version: '1', startedAt: 0, recording: true });
  await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's1' });
  now += 5000;
  expect(await board.read()).toMatchObject({
    nodes: [{ nodeId: 'n1', lapsed: true, last: { ageMs: 5000 } }],
    ...{ recorder: { ageMs: 5000 }, waiting: 1, oldestWaitMs: 5000 },
  });
  now += 30_000;
  expect((await board.read()).recorder).toBeUndefined();
});
