import { costs, plannedShare, type RedisCost, turnsPerSecond } from './costs.ts';
import type { Behaviour } from './simulate-pool.ts';

export interface Traffic extends Behaviour {
  messageEveryMs: number;
  reconnectEveryMs: number;
}

/** What so many users in one pool do, and what it takes. Rates are for each second, CPU is in cores. */
export interface Capacity {
  users: number;
  chats: number;
  searches: number;
  messages: number;
  facts: number;
  redisCores: number;
  /** What takes these cores, as shares of them. */
  redisParts: Record<RedisPart, number>;
  redisBytes: number;
  /** Both ways together. */
  redisNetworkBytes: number;
  nodeCores: number;
  /** Processes; each uses one core at most. */
  nodes: number;
  nodeBytes: number;
  recorderShare: number;
  postgresBytesPerDay: number;
  /** For how long Redis is busy when all users lose their connection and resume. */
  stormSeconds: number;
  /** How many Redis primaries share the work, each with a pool of its own, when none is to be fuller than planned. */
  primaries: number;
  /** How many users one primary carries at the most. */
  usersOfOnePrimary: number;
}

type RedisPart = 'messages' | 'matching' | 'connections' | 'recording' | 'idle nodes';

/** Calculates, from the measured costs, what a number of users needs. */
export function capacity(users: number, traffic: Traffic): Capacity {
  const usersOfOnePrimary = largest(each => fits(onePool(each, traffic)));
  return { ...onePool(users, traffic), usersOfOnePrimary, primaries: Math.ceil(users / usersOfOnePrimary) };
}

/** What keeps a pool on one primary: the core of its Redis, and the one recorder that a pool can use. */
function fits({ redisCores, recorderShare }: { redisCores: number; recorderShare: number }): boolean {
  return redisCores <= plannedShare && recorderShare <= plannedShare;
}

function onePool(users: number, traffic: Traffic): Omit<Capacity, 'primaries' | 'usersOfOnePrimary'> {
  const { redis, node, recorder, postgres } = costs;
  // Of two who chatted, one searches again at once and the other after a pause.
  const cycleSeconds = (traffic.chatMs + traffic.pauseMs / 2) / 1000;
  const chatting = (users * traffic.chatMs) / 1000 / cycleSeconds;
  const ends = users / 2 / cycleSeconds;
  const skips = ends * (1 - 1 / traffic.chats);
  const searches = 2 * ends;
  // Whoever goes gives one command, and for each who goes one comes.
  const going = (2 * ends) / traffic.chats;
  const resumes = (users * 1000) / traffic.reconnectEveryMs;
  const messages = (chatting * 1000) / traffic.messageEveryMs;
  const facts = 2 * ends;

  const nodeUs =
    messages * node.messageUs +
    searches * node.searchUs +
    going * node.connectUs +
    resumes * node.resumeUs +
    users * node.idleUserUs;
  const nodeCores = nodeUs / 1e6;
  const nodes = Math.ceil(nodeCores / plannedShare);
  const between = messages * (1 - 1 / nodes);
  const batch = between / nodes / turnsPerSecond;
  // Of its turns, those in which a node has a message to send.
  const turns = nodes * turnsPerSecond * (1 - Math.exp(-batch));

  const done: Record<RedisPart, [count: number, of: RedisCost][]> = {
    messages: [
      [between, redis.message],
      [turns, redis.turn],
    ],
    matching: [
      [skips, redis.skip],
      [searches - skips, redis.search],
      [going, redis.leave],
    ],
    connections: [
      [resumes, redis.suspend],
      [resumes, redis.resume],
      [going + 2 * resumes, redis.limit],
    ],
    recording: [[facts, redis.fact]],
    'idle nodes': [[nodes, redis.idleNode]],
  };
  const total = (of: keyof RedisCost, things: [count: number, cost: RedisCost][]) =>
    things.reduce((sum, [count, cost]) => sum + count * cost[of], 0);
  const all = Object.values(done).flat();
  const redisUs = total('us', all);
  const parts = Object.entries(done).map(([part, things]) => [part, total('us', things) / redisUs]);
  return {
    ...{ users, chats: chatting / 2, searches, messages, facts },
    redisCores: redisUs / 1e6,
    redisParts: Object.fromEntries(parts) as Record<RedisPart, number>,
    redisBytes: users * redis.userBytes,
    redisNetworkBytes: total('bytes', all),
    nodeCores,
    nodes,
    nodeBytes: users * node.userBytes + nodes * node.baseBytes,
    recorderShare: facts / recorder.factsPerSecond,
    postgresBytesPerDay: ends * 86_400 * postgres.rowBytes,
    stormSeconds: (users * (redis.suspend.us + redis.resume.us + 2 * redis.limit.us)) / 1e6,
  };
}

/** The largest number of users, with three digits, for which something holds. */
function largest(holds: (users: number) => boolean): number {
  let [yes, no] = [1, 1e9];
  while (no - yes > yes / 1000) {
    const middle = Math.floor((yes + no) / 2);
    if (holds(middle)) yes = middle;
    else no = middle;
  }
  const digit = 10 ** Math.max(0, Math.floor(Math.log10(yes)) - 2);
  return Math.floor(yes / digit) * digit;
}
