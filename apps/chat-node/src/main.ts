import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ChatService, Lease } from '@passerby/core';
import { connectRedis, RedisNodeBus, RedisOutbox, RedisPairStore, RedisStatusBoard, whenReady } from '@passerby/redis';
import { createAdapter } from '@socket.io/redis-adapter';
import { type Logger, pino } from 'pino';
import { acceptConnections } from './accept-connections.ts';
import { AdapterConnection } from './adapter-connection.ts';
import { adminRoutes } from './admin-routes.ts';
import { Admission } from './admission.ts';
import { boundedWebSockets } from './bounded-web-sockets.ts';
import { ClientAddresses } from './client-address.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { drain } from './drain.ts';
import { guardConnections } from './guard-connections.ts';
import { createHttpApp } from './http-app.ts';
import { createHttpFront } from './http-front.ts';
import { lastingHeapBytes } from './lasting-heap.ts';
import { LoadWatch } from './load-watch.ts';
import { Metrics } from './metrics.ts';
import { OpenConnections } from './open-connections.ts';
import { Overload } from './overload.ts';
import { OwnStatus } from './own-status.ts';
import { PoolWatch } from './pool-watch.ts';
import { rateLimits } from './rate-limits.ts';
import { shedUsers } from './shed-users.ts';
import { SocketClients } from './socket-clients.ts';
import { createSocketServer } from './socket-server.ts';
import { originCheck } from './web-origin.ts';

/** SIGTERM moves users away before the node stops; SIGINT, and any second signal, ends it at once. */
const stopSignals = ['SIGTERM', 'SIGINT'] as const;
/** How long a node that stops may take to tell Redis about its users, in ms. */
const leaveWithinMs = 5000;
/**
 * So many connections wait in the kernel while the node is busy; /proc/sys/net/core/somaxconn may be less, and then counts.
 * Node.js accepts one in each turn of the event loop, a busy node some hundred a second: those who wait here wait for a second or
 * two. The kernel leaves the others unanswered, which costs nothing, and they ask again by themselves after a second.
 */
const backlog = 256;
/** How long it then waits for its clients to close their side, in ms. */
const farewellMs = 1000;

try {
  await run(readConfig());
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`The chat node cannot start:\n${error.message}\n`);
  // Not the exit code alone: connections to Redis may be open, and would keep the process.
  process.exit(1);
}

async function run(config: Config): Promise<void> {
  const log: Logger = pino(
    {
      name: 'chat-node',
      level: config.LOG_LEVEL,
      mixin: () => (lease.nodeId ? { node: lease.nodeId } : {}),
      // An error of ioredis carries its command, and with it a password or a message.
      redact: ['err.command'],
    },
    // Written at once: what waits to be written when the process ends would keep it for ever if nobody reads the log.
    pino.destination({ sync: true }),
  );
  const loadWatch = new LoadWatch(await lastingHeapBytes());
  const metrics = new Metrics();
  let stopping = false;

  const connection = { url: config.REDIS_URL, log };
  const redis = connectRedis({ ...connection, role: 'commands', commandTimeoutMs: 1000 });
  const renewals = connectRedis({ ...connection, role: 'renewals', commandTimeoutMs: 1000 });
  const subscriber = connectRedis({ ...connection, role: 'subscriber' });
  const adapterPublisher = new AdapterConnection(config.REDIS_URL, 'adapter');
  const adapterSubscriber = new AdapterConnection(config.REDIS_URL, 'adapter-subscriber');

  const location = { prefix: config.REDIS_PREFIX, pool: config.POOL };
  const scriptTime = (script: string, seconds: number) => metrics.scriptTook(script, seconds);
  const store = new RedisPairStore(redis, location, { renewals, scriptTime });
  const bus = new RedisNodeBus(redis, subscriber, { prefix: config.REDIS_PREFIX, log });
  const lease = new Lease({ store, leaseMs: config.LEASE_MS, graceMs: config.RESUME_WITHIN_MS, log });

  // The heartbeat has a connection of its own, and does not notice that this one was gone, or led to another server.
  redis.on('ready', () => lease.doubt());

  const addresses = new ClientAddresses({
    trusted: config.TRUST_PROXY,
    secret: config.ADDRESS_SECRET ?? randomBytes(32).toString('base64url'),
  });
  const connectionLimits = { addresses, limits: rateLimits(config, redis), open: new OpenConnections(), metrics };
  // It listens nowhere: all that it gets comes through the front.
  const inner = createServer((request, response) => app(request, response));
  const io = createSocketServer(inner, {
    allowedOrigins: config.ALLOWED_ORIGINS,
    webSockets: boundedWebSockets(connectionLimits),
  });
  guardConnections(io, connectionLimits);
  io.adapter(createAdapter(adapterPublisher, adapterSubscriber, { key: `${config.REDIS_PREFIX}:everyone` }));
  const clients = new SocketClients(io);

  const overload = new Overload({ loadWatch, putOff: what => metrics.putOff(what) });
  const service = new ChatService({
    store,
    bus,
    clients,
    lease,
    meter: metrics,
    log,
    turn: what => overload.turn(what),
  });
  const admission = new Admission({
    ...connectionLimits,
    overload,
    isAllowedOrigin: originCheck(config.ALLOWED_ORIGINS),
    isOpen: () => !stopping,
  });
  const http = createHttpFront(inner, { admission, dropped: () => overload.dropped() });

  // Without its subscriber a node would pair users and not hear of it.
  const isReady = () => !stopping && service.ready && [redis, subscriber].every(({ status }) => status === 'ready');
  const watch = new PoolWatch({
    board: new RedisStatusBoard(redis, location),
    outbox: new RedisOutbox(redis, location),
    own: new OwnStatus({ service, metrics, isDraining: () => stopping }),
    ...{ service, clients, lease },
  });
  const app = createHttpApp({
    isReady,
    isOverloaded: () => overload.overloaded,
    metrics,
    pageFolder: folderOf('@passerby/web/dist/index.html'),
    ...(config.ADMIN_TOKEN && {
      admin: {
        routes: adminRoutes({ io, watch, adminToken: config.ADMIN_TOKEN }),
        pageFolder: folderOf('@passerby/web/status/dist/index.html'),
      },
    }),
  });
  metrics.observe(service, lease, () => isReady() && !overload.overloaded);
  metrics.observeOverload(overload);
  metrics.observePool(() => watch.known);
  acceptConnections(io, {
    service,
    clients,
    limits: connectionLimits.limits,
    addresses,
    overload,
    metrics,
    log,
    greet: userId => watch.greet(userId),
    maxMessageCharacters: config.MAX_MESSAGE_CHARACTERS,
  });

  const stop = async (signal: NodeJS.Signals) => {
    const hurry = new AbortController();
    for (const another of stopSignals) process.on(another, () => hurry.abort());
    stopping = true;
    log.info({ signal }, 'Stopping.');
    if (signal === 'SIGTERM') await drain({ service, clients, drainMs: config.DRAIN_MS, signal: hurry.signal });
    const leave = async () => {
      await service.stop();
      await watch.stop();
      return true;
    };
    const left = await Promise.race([leave(), delay(leaveWithinMs)]).catch(() => false);
    if (!left) log.warn('Redis could not be told that this node stops. Its lease will lapse, and its chats end then.');
    // Clients that do not answer a farewell would keep the server open for 30 s.
    http.close();
    await Promise.race([Promise.all([io.close(), once(http, 'close')]), delay(farewellMs)]);
    for (const each of [redis, renewals, subscriber, adapterPublisher, adapterSubscriber]) each.disconnect();
    log.info('Stopped.');
    process.exit();
  };
  for (const signal of stopSignals) process.once(signal, () => void (stopping || stop(signal)));

  overload.start(share => {
    const closed = shedUsers({ service, clients, full: share });
    log.warn({ share, closed }, 'Memory is nearly full. Connections are ended.');
  });
  await listen(http, config);
  log.info({ port: (http.address() as AddressInfo).port }, 'Listening.');
  await Promise.all([redis, renewals, subscriber].map(each => whenReady(each, 5000)));
  if (stopping) return;
  await service.start();
  if (!stopping) watch.start();
}

function folderOf(file: string): string {
  return dirname(fileURLToPath(import.meta.resolve(file)));
}

async function listen(http: Server, { PORT, HOST }: Config): Promise<void> {
  http.listen({ port: PORT, backlog, ...(HOST && { host: HOST }) });
  try {
    await once(http, 'listening');
  } catch (error) {
    throw new ConfigError(`Port ${PORT} cannot be used (${(error as Error).message}). Set PORT to another one.`);
  }
}
