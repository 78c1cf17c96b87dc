// A process that plays users who all lose their connection at once, and all come back at once.
import { setTimeout as delay } from 'node:timers/promises';
import { serveCommands } from './serve-commands.ts';
import { type StormCounts, StormUser } from './storm-user.ts';

const connectingAtOnce = 100;
const arriveWithinMs = 30_000;
const inChatWithinMs = 120_000;

const nothing = (): StormCounts => ({ retries: 0, tooLate: 0, violations: [] });
let counts = nothing();
let users: StormUser[] = [];

const commands = {
  /** Connects users, in turn to each port, and waits until all are in chats. */
  async connect({ ports, count }: { ports: number[]; count: number }): Promise<void> {
    counts = nothing();
    users = Array.from({ length: count }, () => new StormUser(counts));
    const queue = [...users.entries()];
    const one = async () => {
      for (let next = queue.pop(); next; next = queue.pop()) await next[1].connect(ports[next[0] % ports.length] ?? 0);
    };
    await Promise.all(Array.from({ length: connectingAtOnce }, one));
    await untilAllInChat();
    for (const user of users) user.stay();
    counts.retries = 0;
  },

  /** Cuts all connections; then all connect at once, each to the next port. Resolves when all are back. */
  async storm({ ports }: { ports: number[] }): Promise<void> {
    for (const user of users) user.cut();
    for (const [index, user] of users.entries()) void user.connect(ports[(index + 1) % ports.length] ?? 0);
    await untilAllInChat();
  },

  /** Each user says something to the partner. Whatever does not arrive, or arrives wrongly, is a violation. */
  async talk(): Promise<StormCounts & { sessions: number }> {
    await Promise.all(users.map(user => user.say()));
    const giveUpAt = performance.now() + arriveWithinMs;
    const missing = () => users.filter(user => !user.hasHeard).length;
    while (missing() > 0 && performance.now() < giveUpAt) await delay(50);
    if (missing() > 0) counts.violations.push(`${missing()} messages did not arrive.`);
    const sessions = new Set(users.map(user => user.sessionId)).size;
    return { ...counts, sessions };
  },
};

async function untilAllInChat(): Promise<void> {
  const giveUpAt = performance.now() + inChatWithinMs;
  while (users.some(user => !user.isInChat)) {
    if (performance.now() > giveUpAt) {
      throw new Error(`${users.filter(user => !user.isInChat).length} users are in no chat.`);
    }
    await delay(5);
  }
}

export type StormCommands = typeof commands;

serveCommands(commands);
