// What does a chat message between two nodes cost: over one pub/sub channel per node, or through a Socket.IO adapter?
//
//     REDIS_URL=redis://127.0.0.1:6379 node docs/decisions/0002-measure.mjs
//
// Use a Redis (7 or later) that nothing else uses meanwhile: its CPU time is measured as a whole. No key is written.
// PAIRS sets how many messages are in flight (default 200). It takes about two minutes and never more than three.
//
// Eight processes are forked and serve as nodes; this process plays the clients, whose cost is not counted. Every pair
// has one client on node 0 and one on node 1 and plays ping-pong: each client answers a message with the next one. Of a
// cluster of N nodes, the other N - 2 have nothing to do with any chat. CPU time is counted, not elapsed time, so that
// other work on the machine matters little. Clients check that each message comes exactly once, to the right one.
import { fork } from 'node:child_process';
import { on, once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { io as connect } from 'socket.io-client';

// As the chat node resolves them.
const load = createRequire(new URL('../../apps/chat-node/package.json', import.meta.url));
const { Server } = load('socket.io');
const { createAdapter, createShardedAdapter } = load('@socket.io/redis-adapter');

const { REDIS_URL, PAIRS = '200' } = process.env;
const pairs = Number(PAIRS);
const clusterSizes = [2, 4, 8];
const rounds = 5;
const messagesPerRun = 12_000;
const enoughSeconds = 140; // No further round begins after this.

const classic = (pub, sub, prefix) => createAdapter(pub, sub, { key: prefix });
const sharded = (pub, sub, prefix) => createShardedAdapter(pub, sub, { channelPrefix: prefix });
const shardedPerSocket = (pub, sub, prefix) =>
  createShardedAdapter(pub, sub, { channelPrefix: prefix, subscriptionMode: 'dynamic-private' });

const reference = 'channel per node';
const variants = {
  [reference]: { pipelined: true },
  'channel per node, no pipelining': { pipelined: false },
  'classic adapter': { adapter: classic, pipelined: false },
  'classic adapter, pipelined': { adapter: classic, pipelined: true },
  'sharded adapter, pipelined': { adapter: sharded, pipelined: true },
  'sharded adapter, channel per socket, pipelined': { adapter: shardedPerSocket, pipelined: true },
};

// ---- a node ------------------------------------------------------------------------------------------------------

let node;

const nodeCommands = {
  async start({ name, nodeId, prefix }) {
    const { adapter, pipelined } = variants[name];
    const pub = new Redis(REDIS_URL, { enableAutoPipelining: pipelined });
    const sub = new Redis(REDIS_URL);
    const http = createServer();
    const io = new Server(http, adapter ? { adapter: adapter(pub, sub, prefix) } : {});

    // Both ways know the partner beforehand and send the same payload; only the way to the partner differs.
    const sendToRoom = (to, payload) => io.to(to.socketId).emit('message', payload);
    const sendToNode = ({ nodeId, ...to }, payload) =>
      pub.publish(`${prefix}:${nodeId}`, JSON.stringify({ to, payload }));
    const send = adapter ? sendToRoom : sendToNode;
    if (!adapter) {
      await sub.subscribe(`${prefix}:${nodeId}`);
      sub.on('message', (_channel, text) => {
        const { to, payload } = JSON.parse(text);
        const socket = io.sockets.sockets.get(to.socketId);
        if (socket?.data.partner.sessionId === to.sessionId) socket.emit('message', payload);
      });
    }

    io.on('connection', socket => {
      let sent = 0;
      socket.on('pair', async (partner, acknowledge) => {
        socket.data.partner = partner;
        await sub.ping(); // Replies come in order: from here on, this node's subscriptions are in force.
        acknowledge();
      });
      socket.on('message', ({ message }) => {
        send(socket.data.partner, { id: `${socket.id}-${++sent}`, message, at: Date.now() });
      });
    });
    http.listen(0, '127.0.0.1');
    await Promise.all([once(http, 'listening'), sub.ping()]);
    node = { io, pub, sub };
    return http.address().port;
  },
  cpuUs() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  async stop() {
    await node.io.close();
    await Promise.all([node.pub.quit(), node.sub.quit()]);
  },
};

async function serveAsNode() {
  process.on('disconnect', () => process.exit());
  for await (const [{ command, args }] of on(process, 'message')) {
    process.send({ result: await nodeCommands[command](args) });
  }
}

// ---- the clients -------------------------------------------------------------------------------------------------

async function connectPairs(ports) {
  const open = async port => {
    const socket = connect(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
    await once(socket, 'connect');
    return socket;
  };
  const openPair = async (_, sessionId) => {
    const sockets = await Promise.all([open(ports[0]), open(ports[1])]);
    const toPartner = nodeId => ({ nodeId, socketId: sockets[nodeId].id, sessionId });
    await Promise.all([sockets[0].emitWithAck('pair', toPartner(1)), sockets[1].emitWithAck('pair', toPartner(0))]);
    return { sockets, sessionId, turn: 0 };
  };
  return Promise.all(Array.from({ length: pairs }, openPair));
}

const textOf = (pair, turn) => `pair ${pair.sessionId} turn ${turn} `.padEnd(60, 'abcdefghi ');

/** The pair exchanges `turns` messages. Rejects if one is lost, doubled, out of order, or goes to someone else. */
function play(pair, turns) {
  const end = pair.turn + turns;
  const say = () => pair.sockets[pair.turn % 2].emit('message', { message: textOf(pair, pair.turn) });
  return new Promise((resolve, reject) => {
    const fail = what => reject(new Error(`Pair ${pair.sessionId}, message ${pair.turn}: ${what}.`));
    const timer = setTimeout(() => fail('it did not arrive within 10 s'), 10_000);
    const hear = (side, message) => {
      if (side === pair.turn % 2 || message !== textOf(pair, pair.turn)) fail(`client ${side} got "${message}"`);
      pair.turn += 1;
      if (pair.turn < end) return say();
      clearTimeout(timer);
      resolve();
    };
    for (const side of [0, 1]) pair.sockets[side].off('message').on('message', ({ message }) => hear(side, message));
    say();
  });
}

// ---- the measurement ---------------------------------------------------------------------------------------------

async function ask(child, command, args) {
  child.send({ command, args });
  const [{ result }] = await once(child, 'message');
  return result;
}

async function redisCpuUs(redis) {
  const info = await redis.info('cpu');
  const seconds = kind => Number(info.match(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`))[1]);
  return (seconds('user') + seconds('sys')) * 1e6;
}

/** CPU time in µs for one variant on `nodes`, the first two of which carry the chat. */
async function measure(redis, nodes, name) {
  const prefix = `measure-${process.pid}`;
  const ports = await Promise.all(nodes.map((child, nodeId) => ask(child, 'start', { name, nodeId, prefix })));
  const redisBefore = await redisCpuUs(redis);
  const players = await connectPairs(ports);
  const connection = ((await redisCpuUs(redis)) - redisBefore) / (2 * pairs);
  const playAll = turns => Promise.all(players.map(pair => play(pair, turns)));
  const cpu = async () => [await redisCpuUs(redis), ...(await Promise.all(nodes.map(child => ask(child, 'cpuUs'))))];

  const turns = Math.ceil(messagesPerRun / pairs);
  await playAll(Math.ceil(turns / 8)); // Warm-up.
  const before = await cpu();
  await playAll(turns);
  const after = await cpu();
  await playAll(2); // The copy of a counted message that came twice would arrive before these and be noticed.

  for (const { sockets } of players) for (const socket of sockets) socket.disconnect();
  await Promise.all(nodes.map(child => ask(child, 'stop')));
  const [redisUs, ...nodeUs] = after.map((value, index) => (value - before[index]) / (turns * pairs));
  const sum = values => values.reduce((total, value) => total + value, 0);
  return { all: sum(nodeUs), uninvolved: sum(nodeUs.slice(2)) / (nodes.length - 2), redis: redisUs, connection };
}

/** Median (minimum–maximum). */
function spread(values, digits = 1) {
  const sorted = values.toSorted((a, b) => a - b);
  const [median, min, max] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map(value => value.toFixed(digits));
  return `${median} (${min}–${max})`;
}

/** A ratio compares two runs of the same round. */
function printTable(results) {
  console.log(`${results.length} rounds. CPU µs per message; the last column is per connection.\n`);
  console.log('| nodes | variant | all nodes | ratio | each uninvolved node | Redis | ratio | Redis, connecting |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const size of clusterSizes) {
    const references = results.map(round => round[size][reference]);
    for (const name of Object.keys(variants)) {
      const runs = results.map(round => round[size][name]);
      const us = part => spread(runs.map(run => run[part]));
      const ratioOf = part => runs.map((run, index) => run[part] / references[index][part]);
      const ratio = part => spread(ratioOf(part), 2);
      const uninvolved = size > 2 ? us('uninvolved') : '–';
      const cells = [size, name, us('all'), ratio('all'), uninvolved, us('redis'), ratio('redis'), us('connection')];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}

async function main() {
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  const redis = new Redis(REDIS_URL, { maxRetriesPerRequest: 0 });
  redis.on('error', error => stop(`Redis at REDIS_URL does not answer: ${error.message}`));
  const version = (await redis.info('server')).match(/redis_version:(\S+)/)[1];
  console.log(`${os.cpus().length} × ${os.cpus()[0].model}, Node ${process.version}, Redis ${version}, ${pairs} pairs`);

  const nodes = Array.from({ length: Math.max(...clusterSizes) }, () => fork(fileURLToPath(import.meta.url), ['node']));
  for (const child of nodes) child.once('exit', code => stop(`A node ended with code ${code}.`));
  const names = Object.keys(variants);
  const results = [];
  for (let round = 0; round <= rounds && seconds() < enoughSeconds; round += 1) {
    const figures = {};
    for (const size of round === 0 ? clusterSizes.slice(-1) : clusterSizes) {
      figures[size] = {};
      // Every round starts with another variant, so that none always comes first.
      for (const name of [...names.slice(round), ...names.slice(0, round)]) {
        figures[size][name] = await measure(redis, nodes.slice(0, size), name);
      }
    }
    if (round > 0) results.push(figures); // Round 0 only warms up all processes.
    console.error(`round ${round} of ${rounds} done after ${seconds()} s`);
  }
  printTable(results);
}

function stop(reason) {
  if (reason) console.error(reason);
  process.exit(reason ? 1 : 0); // The nodes notice and end too.
}

if (process.argv[2] === 'node') await serveAsNode();
else if (!REDIS_URL) stop('Set REDIS_URL to a Redis 7 that nothing else uses, for example redis://127.0.0.1:6379.');
else {
  setTimeout(stop, 175_000, 'Not done after 175 s: the machine is too busy to measure.');
  await main().then(stop, error => stop(error.message));
}
