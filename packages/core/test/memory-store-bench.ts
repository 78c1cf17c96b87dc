import { MemoryChannels, MemoryOutbox, MemoryPairStore, type NodeMessage } from '../src/index.ts';
import type { StoreBench } from './pair-store-contract.ts';

export async function memoryStoreBench(): Promise<StoreBench> {
  const channels = new MemoryChannels();
  const outbox = new MemoryOutbox();
  const received = new Map<string, NodeMessage[]>();
  return {
    store: new MemoryPairStore({ channels, outbox }),
    outbox,
    listen: async nodeId => {
      received.set(nodeId, []);
      channels.listen(nodeId, message => received.get(nodeId)?.push(message));
    },
    received: async nodeId => received.get(nodeId)?.splice(0) ?? [],
    close: async () => undefined,
  };
}
