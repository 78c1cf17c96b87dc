import { MemoryOutbox } from '../src/index.ts';
import { describeOutbox } from './outbox-contract.ts';

describeOutbox('MemoryOutbox', async () => {
  const outbox = new MemoryOutbox();
  return { outbox, add: async fact => outbox.add(fact, Date.now()), close: async () => undefined };
});
