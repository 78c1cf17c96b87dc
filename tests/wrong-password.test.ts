import { ChatProcess } from './support/chat-process.ts';
import { RedisPool } from './support/redis-pool.ts';

it('keeps a password that Redis refuses out of the log', async () => {
  const pool = new RedisPool();
  const redis = await pool.connect();
  await redis.acl('SETUSER', pool.prefix, 'on', '>the-right-one', '+@all', '~*', '&*');
  const url = new URL(pool.url);
  url.username = pool.prefix;
  url.password = 'a-wrong-secret';
  const node = await ChatProcess.launch(pool, { REDIS_URL: url.href, LOG_LEVEL: 'debug' });
  try {
    const line = await node.logged('Redis cannot be reached. Trying again until it can.');
    expect(JSON.stringify(line)).toContain('WRONGPASS');
  } finally {
    expect(await node.stop()).toBe(0);
    await redis.acl('DELUSER', pool.prefix);
    await pool.close();
  }
  expect(JSON.stringify(node.log) + node.errors).not.toContain('a-wrong-secret');
});
