import type { Log, NodeBus, NodeMessage } from '@passerby/core';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { describeNodeBus } from '../../core/test/node-bus-contract.ts';
import { RedisNodeBus } from '../src/index.ts';

const silent = { info: () => undefined, warn: () => undefined };

async function addBus(pool: RedisPool, log: Log = silent): Promise<NodeBus> {
  return new RedisNodeBus(await pool.connect(), await pool.connect(), { prefix: pool.prefix, log });
}

describeNodeBus('RedisNodeBus', async () => {
  const pool = new RedisPool();
  return { addBus: () => addBus(pool), close: () => pool.close() };
});

describe('RedisNodeBus', () => {
  const message: NodeMessage = {
    kind: 'chat',
    userId: 'ann',
    sessionId: 's1',
    message: { id: 'm', message: 'hi', at: 1 },
  };
  let pool: RedisPool;

  beforeEach(() => {
    pool = new RedisPool();
  });

  afterEach(() => pool.close());

  it('drops what it cannot read, and goes on', async () => {
    const warnings: string[] = [];
    const bus = await addBus(pool, { ...silent, warn: (_, text) => void warnings.push(text) });
    const redis = await pool.connect();
    const received = new Promise(resolve => {
      void bus.listen('n1', resolve).then(async () => {
        await redis.publish(`${pool.prefix}:node:n1`, 'not JSON');
        await redis.publish(`${pool.prefix}:node:n1`, '{"kind":"change","change":{"state":"x"}}');
        await bus.send('n1', message);
      });
    });
    expect(await received).toEqual(message);
    expect(warnings).toHaveLength(2);
  });
});
