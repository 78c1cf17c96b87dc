// What does each thing that Passerby does cost its Redis, with few users present and with a million?
//
//     npm run build && node docs/scaling-measure.mjs
//
// It starts a Redis of its own, which writes nothing to disk unless PERSISTENT=yes: then it syncs its file each second. Every
// user comes and goes through the real scripts. USERS (1000,1000000) says how many are present, all of them paired. They live
// on NODES nodes (100), whose channels are subscribed to. In each of ROUNDS (5) some 10,000 chats (OPERATIONS / 2) go through
// all that can happen to them, 200 commands at a time. The CPU time is that of Redis's main thread, with reading and answering.
// About six minutes on a quiet machine, and 1.5 GB of memory.
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { readConfig } from '../apps/chat-node/dist/config.js';
import { rateLimits } from '../apps/chat-node/dist/rate-limits.js';
import { RedisOutbox, RedisPairStore } from '../packages/redis/dist/index.js';
import { connect, costOf, location, readInfo, rounds, spread, withRedis } from './scaling-redis-costs.mjs';

// As the chat node resolves it.
const { v7: uuid } = createRequire(new URL('../packages/core/package.json', import.meta.url))('uuid');

const { USERS = '1000,1000000', NODES = '100', OPERATIONS = '20000' } = process.env;
const nodeCount = Number(NODES);
const operations = Number(OPERATIONS);
const inFlight = 200;
const graceMs = 3_600_000;
const leaseMs = 86_400_000;
const nodeIds = Array.from({ length: nodeCount }, (_, n) => `node${n}`.padEnd(8, '-'));

/** Gives each of the items to `work`, so many at a time. */
async function forEach(items, work, atATime = inFlight) {
  let next = 0;
  const one = async () => {
    while (next < items.length) await work(items[next++]);
  };
  await Promise.all(Array.from({ length: atATime }, one));
}

// ---- the users ----------------------------------------------------------------------------------------------------

/** Users as their nodes know them. */
class Population {
  #store;
  #resuming;
  #listener;
  #requests = 0;
  users = new Map();

  /** @param listener a connection that hears what all nodes are told */
  constructor(store, listener, { resuming }) {
    this.#store = store;
    this.#resuming = resuming;
    this.#listener = listener;
    listener.removeAllListeners('message').on('message', (_, text) => this.#apply([JSON.parse(text).change]));
  }

  /** When all is heard that the nodes have been told. */
  async heard() {
    await this.#listener.ping();
  }

  add(count) {
    for (let n = 0; n < count; n++) {
      const userId = `user-${this.users.size}-`.padEnd(20, 'x');
      const token = this.#resuming ? 'a'.repeat(22) : undefined;
      const nodeId = nodeIds[this.users.size % nodeCount];
      this.users.set(userId, {
        userId,
        nodeId,
        revision: 0,
        requestId: 0,
        token,
        session: undefined,
        parted: undefined,
      });
    }
  }

  #command(user) {
    user.requestId = ++this.#requests;
    return { userId: user.userId, nodeId: user.nodeId, requestId: user.requestId };
  }

  #apply(changes) {
    for (const change of changes) {
      const user = this.users.get(change.userId);
      if (!user || change.revision <= user.revision) continue;
      user.revision = change.revision;
      user.session = change.session;
      user.parted = change.session?.partnerId ?? user.parted;
    }
  }

  async search(user, skip = false) {
    const more = { revision: user.revision, sessionId: uuid(), ...(user.token && { token: user.token }) };
    const ended = skip && user.session && { skip: { sessionId: user.session.sessionId, messages: 30 } };
    this.#apply(await this.#store.search({ ...this.#command(user), ...more, ...ended }));
  }

  async leave(user, forget = false) {
    this.#apply(await this.#store.leave({ ...this.#command(user), reason: 'end', messages: 30, forget }));
  }

  async suspend(user) {
    this.#apply(await this.#store.suspend({ ...this.#command(user), graceMs }));
  }

  async resume(user) {
    const nextToken = 'b'.repeat(11) + 'c'.repeat(11);
    const { userId, nodeId, token } = user;
    const resumed = await this.#store.resume({ userId, nodeId, token, nextToken });
    if (!resumed) throw new Error('A user could not resume.');
    user.token = nextToken;
    this.#apply(resumed.changes);
  }

  sync(nodeId, users) {
    return this.#store.sync(
      nodeId,
      users.map(({ userId, revision, requestId, token, session, parted }) => ({
        ...{ userId, revision, requestId, ...(token && { token }), ...(parted && { parted }) },
        ...(session ? { state: 'paired', session } : { state: 'idle' }),
      })),
    );
  }

  /** One user of each of so many chats. */
  pairs(count) {
    const found = [];
    const skipped = Math.floor(Math.random() * Math.max(0, this.users.size - 2 * count));
    let position = 0;
    for (const user of this.users.values()) {
      if (position++ < skipped || user.session?.side !== 'a') continue;
      found.push(user);
      if (found.length === count) break;
    }
    return found;
  }

  partnersOf(users) {
    return users.map(user => this.users.get(user.session.partnerId));
  }
}

// ---- the scripts --------------------------------------------------------------------------------------------------

/** One round: what each operation cost Redis. In each of its cycles every chat that takes part goes through all of it. */
async function scriptsRound({ redis, outbox, store, limits }, population) {
  const samples = {};
  const measure = async (name, items, work, count = items.length) => {
    const cost = await costOf(redis, count, () => forEach(items, work));
    await population.heard();
    samples[name] ??= [];
    samples[name].push({ ...cost, count });
  };
  const chats = Math.min(operations / 4, population.users.size / 2 - 10);
  for (let done = 0; done < operations / 2; done += chats) {
    const some = population.pairs(chats);
    const others = population.partnersOf(some);
    await measure('leave', some, user => population.leave(user));
    await measure('search', shuffled([...some, ...others]), user => population.search(user));
    const skipping = population.pairs(chats);
    const left = population.partnersOf(skipping);
    await measure('skip', skipping, user => population.search(user, true));
    await measure(
      'search',
      left.filter(user => !user.session),
      user => population.search(user),
    );
    const losing = population.pairs(chats);
    await measure('suspend', losing, user => population.suspend(user));
    await measure('resume', losing, user => population.resume(user));
    const batches = nodeIds.map(nodeId => losing.filter(user => user.nodeId === nodeId).slice(0, 100));
    const full = batches.filter(({ length }) => length > 0);
    const synced = full.reduce((sum, { length }) => sum + length, 0);
    await measure('sync, each user', full, users => population.sync(users[0].nodeId, users), synced);
    const facts = (await outbox.backlog()).length;
    const record = async () => {
      for (;;) {
        const entries = await outbox.read(2000, 1);
        if (entries.length === 0) return;
        await outbox.remove(entries.map(({ id }) => id));
      }
    };
    await measure('record, each fact', [facts], record, facts);
    await measure('limit of new users', some, () => limits.newUser(`10.0.${random(256)}.${random(256)}`));
    await measure('renew lease', Array(2000).fill(0), () => store.renewLease({ nodeId: nodeIds[0], leaseMs }));
  }
  return Object.fromEntries(
    Object.entries(samples).map(([name, all]) => {
      const count = all.reduce((sum, each) => sum + each.count, 0);
      const mean = figure => all.reduce((sum, each) => sum + each[figure] * each.count, 0) / count;
      return [name, { cpuUs: mean('cpuUs'), netIn: mean('netIn'), netOut: mean('netOut') }];
    }),
  );
}

/** Takes a node with all its users, who become away, and then expires these: CPU for each user, and seconds in all. */
async function takeOver(redis, store, population, nodeId) {
  const users = [...population.users.values()].filter(user => user.nodeId === nodeId);
  await store.renewLease({ nodeId, leaseMs: -1 });
  const timed = async work => {
    const startedAt = performance.now();
    const cost = await costOf(redis, users.length, work);
    return { ...cost, seconds: (performance.now() - startedAt) / 1000 };
  };
  const reaped = await timed(async () => {
    while ((await store.reap({ nodeId, limit: 100, graceMs: 0 })) > 0);
  });
  await delay(5);
  const expired = await timed(async () => {
    while ((await store.expire(100)) > 0);
  });
  return { users: users.length, reaped, expired };
}

async function scripts(url, present) {
  const redis = await connect(url, 'measure');
  await redis.flushall('ASYNC');
  const outbox = new RedisOutbox(await connect(url, 'outbox'), location);
  const store = new RedisPairStore(redis, location);
  const wide = { LIMIT_ADDRESS_CONNECTIONS: '9999999/60' };
  const limits = rateLimits(readConfig({ REDIS_URL: url, ...wide }), redis);
  const listener = await connect(url, 'listener');
  await listener.subscribe(...nodeIds.map(nodeId => `${location.prefix}:node:${nodeId}`));
  for (const nodeId of nodeIds) await store.renewLease({ nodeId, leaseMs });

  // Nothing waits in the outbox when the memory is read.
  const fill = async resuming => {
    const before = (await readInfo(redis)).memory;
    const population = new Population(store, listener, { resuming });
    population.add(present);
    const startedAt = performance.now();
    await forEach([...population.users.values()], user => population.search(user));
    await population.heard();
    const facts = (await outbox.backlog()).length;
    const withFacts = (await readInfo(redis)).memory;
    await redis.del(`${location.prefix}:{${location.pool}}:outbox`);
    const { memory } = await readInfo(redis);
    const seconds = (performance.now() - startedAt) / 1000;
    console.error(`${present} users came in ${seconds.toFixed(0)} s`);
    return { population, bytes: (memory - before) / present, bytesOfFact: (withFacts - memory) / facts, memory };
  };
  const plain = await fill(false);
  await redis.flushall('ASYNC');
  for (const nodeId of nodeIds) await store.renewLease({ nodeId, leaseMs });
  const resuming = await fill(true);

  const figures = [];
  for (let round = 0; round <= rounds; round++) {
    const figure = await scriptsRound({ redis, outbox, store, limits }, resuming.population);
    if (round > 0) figures.push(figure); // The first one only warms up.
  }
  console.log(`\n## ${present} users present, ${rounds} rounds\n`);
  console.log('| operation | Redis CPU µs | bytes to Redis | bytes from Redis |\n|---|---|---|---|');
  for (const name of Object.keys(figures[0])) {
    const cell = (figure, digits = 1) =>
      spread(
        figures.map(each => each[name][figure]),
        digits,
      );
    console.log(`| ${name} | ${cell('cpuUs')} | ${cell('netIn', 0)} | ${cell('netOut', 0)} |`);
  }
  for (const [kind, each] of Object.entries({ plain, resuming })) {
    const rest = `${each.bytesOfFact.toFixed(0)} bytes for a fact that waits; ${(each.memory / 1e6).toFixed(0)} MB in all`;
    console.log(`- ${kind} users: ${each.bytes.toFixed(0)} bytes each; ${rest}`);
  }
  const taken = [];
  for (const nodeId of nodeIds.slice(1, 4)) taken.push(await takeOver(redis, store, resuming.population, nodeId));
  for (const what of ['reaped', 'expired']) {
    const cell = (figure, digits) =>
      spread(
        taken.map(each => each[what][figure]),
        digits,
      );
    const wall = `${cell('seconds', 2)} s in all`;
    console.log(
      `- a node with ${taken[0].users} users is ${what}: Redis CPU ${cell('cpuUs', 1)} µs for each user, ${wall}`,
    );
  }
  await outbox.remove([]);
  for (const each of [redis, listener]) each.disconnect();
}

function random(below) {
  return Math.floor(Math.random() * below);
}

function shuffled(items) {
  return items
    .map(item => [Math.random(), item])
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

await withRedis(async url => {
  for (const present of USERS.split(',').map(Number)) await scripts(url, present);
});
