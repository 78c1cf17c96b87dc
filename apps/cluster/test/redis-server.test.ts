import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { Redis } from 'ioredis';
import { RedisServer } from '../src/redis-server.ts';
import { temporaryDir } from './temporary-dir.ts';

const servers: RedisServer[] = [];

async function start(options: Parameters<typeof RedisServer.start>[0]): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  servers.push(server);
  return server;
}

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

// Elsewhere that address does not exist.
const onLinux = process.platform === 'linux' ? it : it.skip;

describe('RedisServer', () => {
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });

  it('is ready when it has started, and gone when it has stopped', async () => {
    const redis = await start({ dir: await temporaryDir() });
    await expect(withRedis(redis.url, client => client.ping())).resolves.toBe('PONG');
    await redis.stop();
    await redis.stop();
    await expect(withRedis(redis.url, client => client.ping())).rejects.toThrow('Connection is closed');
  });

  onLinux('is reachable from this machine only', async () => {
    const redis = await start({ dir: await temporaryDir() });
    // Another address of this machine stands for the world outside.
    const outside = connect(redis.port, '127.0.0.2');
    await expect(once(outside, 'connect')).rejects.toThrow('ECONNREFUSED');
  });

  it('keeps its data when asked to', async () => {
    const dir = await temporaryDir();
    for (const expected of [null, 'kept']) {
      const redis = await start({ dir, persistent: true });
      await expect(withRedis(redis.url, client => client.get('key'))).resolves.toBe(expected);
      await withRedis(redis.url, client => client.set('key', 'kept'));
      await redis.stop();
    }
  });

  it('keeps nothing otherwise', async () => {
    const dir = await temporaryDir();
    for (const expected of [null, null]) {
      const redis = await start({ dir });
      await expect(withRedis(redis.url, client => client.get('key'))).resolves.toBe(expected);
      await withRedis(redis.url, client => client.set('key', 'lost'));
      await redis.stop();
    }
  });

  it('does not take another server on its port for itself, and says what its log says', async () => {
    const other = await start({ dir: await temporaryDir() });
    await expect(start({ dir: await temporaryDir(), port: other.port })).rejects.toThrow(
      /^Redis ended with code 1 instead of starting.*Address already in use/s,
    );
  });

  it('fails when something that never answers has its port', async () => {
    const holder = createServer(socket => void socket.resume()).listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    await expect(start({ dir: await temporaryDir(), port })).rejects.toThrow(/redis\.log/);
    holder.close();
  });
});
