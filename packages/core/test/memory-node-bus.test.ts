import { MemoryChannels, MemoryNodeBus } from '../src/index.ts';
import { describeNodeBus } from './node-bus-contract.ts';

describeNodeBus('MemoryNodeBus', async () => {
  const channels = new MemoryChannels();
  return { addBus: async () => new MemoryNodeBus(channels), close: async () => undefined };
});
