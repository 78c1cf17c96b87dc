import { describePairStore } from '../../core/test/pair-store-contract.ts';
import { redisStoreBench } from './redis-store-bench.ts';

describePairStore('RedisPairStore', () => redisStoreBench());
