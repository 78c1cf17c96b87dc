import { MemoryChannels, MemoryOutbox, MemoryPairStore, type NodeMessage } from '../src/index.ts';
import type { StoreBench } from './store-bench.ts';

export async function memoryStoreBench(): Promise<StoreBench> {
  const channels = new MemoryChannels();
  const outbox = new MemoryOutbox();
  const store = new MemoryPairStore({ channels, outbox, random: () => Math.random() });
  const received = new Map<string, NodeMessage[]>();
  return {
    store,
    outbox,
    listen: async nodeId => {
      received.set(nodeId, []);
      channels.listen(nodeId, {
        receive: message => received.get(nodeId)?.push(message),
        missed: () => undefined,
      });
    },
    received: async nodeId => received.get(nodeId)?.splice(0) ?? [],
    loseData: async () => store.loseData(),
    close: async () => undefined,
  };
}
