import { memoryStoreBench } from './memory-store-bench.ts';
import { describePairStore } from './pair-store-contract.ts';

describePairStore('MemoryPairStore', memoryStoreBench);
