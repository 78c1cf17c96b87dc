import { costs, plannedShare, turnsPerSecond } from './costs.ts';
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
  redisParts: { messages: number; matching: number; resuming: number; recording: number; idle: number };
  redisBytes: number;
  /** Both ways together. */
  redisNetworkBytes: number;
  nodeCores: number;
  /** Processes; each uses one core at most. */
  nodes: number;
  nodeBytes: number;
  recorderShare: number;
  postgresBytesPerDay: number;
  /** How many Redis primaries share the work, each with a pool of its own, when none is to be fuller than planned. */
  primaries: number;
  /** How many users one primary carries at the most. */
  usersOfOnePrimary: number;
}

/** Calculates, from the measured costs, what a number of users needs. */
export function capacity(users: number, traffic: Traffic): Capacity {
  const one = onePool(users, traffic);
  const usersOfOnePrimary = largest(each => fits(onePool(each, traffic)));
  return { ...one, usersOfOnePrimary, primaries: Math.ceil(users / usersOfOnePrimary) };
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
  const staying = 1 - 1 / traffic.chats;
  const skips = ends * staying;
  const searches = 2 * ends;
  // One side's leaving ends the chat, the other's only removes the user.
  const leaves = (2 * ends) / traffic.chats;
  const connections = leaves;
  const resumes = (users * 1000) / traffic.reconnectEveryMs;
  const messages = (chatting * 1000) / traffic.messageEveryMs;
  const facts = 2 * ends;

  const nodeCores =
    (messages * node.messageUs + searches * node.searchUs + (connections + resumes) * node.connectUs) / 1e6;
  const nodes = Math.ceil(nodeCores / plannedShare);
  const between = messages * (1 - 1 / nodes);
  const batch = between / nodes / turnsPerSecond;
  const turns = between * (batch > 0 ? (1 - Math.exp(-batch)) / batch : 0);

  const parts = {
    messages: between * redis.messageUs + turns * redis.turnUs,
    matching: skips * redis.skipUs + (searches - skips) * redis.searchUs + leaves * redis.leaveUs,
    resuming: resumes * (redis.suspendUs + redis.resumeUs),
    recording: facts * redis.factUs,
    idle: nodes * redis.idleNodeUs,
  };
  const redisUs = Object.values(parts).reduce((total, us) => total + us, 0);
  const share = (us: number) => us / redisUs;
  return {
    ...{ users, chats: chatting / 2, searches, messages, facts },
    redisCores: redisUs / 1e6,
    redisParts: {
      messages: share(parts.messages),
      matching: share(parts.matching),
      resuming: share(parts.resuming),
      recording: share(parts.recording),
      idle: share(parts.idle),
    },
    redisBytes: users * redis.userBytes,
    redisNetworkBytes: between * redis.messageBytes + (searches + leaves + 2 * resumes) * redis.searchBytes,
    nodeCores,
    nodes,
    nodeBytes: users * node.userBytes + nodes * node.baseBytes,
    recorderShare: facts / recorder.factsPerSecond,
    postgresBytesPerDay: ends * 86_400 * postgres.rowBytes,
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
  return Number(yes.toPrecision(3));
}
