// A process that matches users as fast as it can, in one of three ways. What it costs counts.
import { randomBytes } from 'node:crypto';
import { v7 as newSessionId } from 'uuid';
import { BareMatcher, type BareMatcherOptions } from './competitors/bare-matcher.ts';
import { BareRecorder } from './competitors/bare-recorder.ts';
import { BareSessions, type BegunSession } from './competitors/bare-sessions.ts';
import { NaiveMatcher } from './competitors/naive-matcher.ts';
import { NaiveSessions } from './competitors/naive-sessions.ts';
import type { Matcher } from './matcher.ts';
import { PasserbyMatcher, type PasserbyMatcherOptions } from './passerby-matcher.ts';
import { serveCommands } from './serve-commands.ts';

/** How many searches, ends and writes are on their way at once, unless told otherwise. */
const usualAtOnce = 200;

let matcher: Matcher | undefined;
let passerby: PasserbyMatcher | undefined;
let sessions: NaiveSessions | undefined;
let bareSessions: BareSessions | undefined;
let bareRecorder: BareRecorder | undefined;
/** Sessions that bare statements are to write. */
const batches: BegunSession[][] = [];
/** Users who do nothing now. */
let idle: string[] = [];
/** Users who found a partner, and their partners; the oldest chat first. */
const found: [string, string][] = [];

const commands = {
  /** @param idleUsers more than are in flight, as so many may wait at once */
  async startPasserby({
    idleUsers = 1000,
    ...options
  }: PasserbyMatcherOptions & { idleUsers?: number }): Promise<void> {
    passerby = await PasserbyMatcher.start(options);
    matcher = passerby;
    idle = users(idleUsers);
  },

  async startNaive({ redisUrl, databaseUrl }: { redisUrl: string; databaseUrl: string }): Promise<void> {
    matcher = new NaiveMatcher(redisUrl, databaseUrl);
    sessions = new NaiveSessions(databaseUrl);
    idle = users(1000);
  },

  async startBare(options: BareMatcherOptions): Promise<void> {
    matcher = await BareMatcher.start(options);
    if (options.databaseUrl !== undefined) bareSessions = await BareSessions.connect(options.databaseUrl);
    idle = users(1000);
  },

  async startBareRecorder(options: { redisUrl: string; databaseUrl: string }): Promise<void> {
    bareRecorder = await BareRecorder.connect(options);
  },

  /** Records all facts that wait in an outbox. */
  async record({ outbox }: { outbox: string }): Promise<void> {
    await bareRecorder?.record(outbox);
  },

  /**
   * Users search until there were so many more chats. For each that is one too many, the oldest ends.
   * @param chats how many go on; they do so after that, too: see `endAll`
   * @returns how many there were: some more, as searches were on their way at the end
   */
  async match({ matches, chats, atOnce = usualAtOnce }: MatchInput): Promise<number> {
    let left = matches;
    await together(atOnce, async () => {
      while (left > 0) {
        const userId = idle.shift() ?? newUser();
        const partnerId = await matcher?.search(userId);
        if (partnerId === undefined) continue;
        left -= 1;
        found.push([userId, partnerId]);
        if (found.length > chats) await endOldest();
      }
    });
    return matches - left;
  },

  /** Waits until PostgreSQL knows. */
  async recorded(): Promise<void> {
    await matcher?.recorded();
  },

  /** New users find each other and stay in their chats. */
  async fill({ count }: { count: number }): Promise<void> {
    let left = count;
    await together(usualAtOnce, async () => {
      while (left-- > 0) await matcher?.search(newUser());
      passerby?.forgetUsers();
    });
  },

  /** So many idle users search, one after the other all get a partner. See `endAll`. */
  async search({ count }: { count: number }): Promise<void> {
    const searching = idle.splice(0, count);
    await together(usualAtOnce, async () => {
      for (let userId = searching.pop(); userId !== undefined; userId = searching.pop()) {
        const partnerId = await matcher?.search(userId);
        if (partnerId !== undefined) found.push([userId, partnerId]);
      }
    });
  },

  /** All who found a partner end the chat, the oldest first, and are idle. */
  async endAll(): Promise<void> {
    await together(usualAtOnce, async () => {
      while (found.length > 0) await endOldest();
    });
  },

  /** Writes so many sessions as rows, each created and updated. */
  async write({ count, atOnce = usualAtOnce }: { count: number; atOnce?: number }): Promise<void> {
    let left = count;
    await together(atOnce, async () => {
      while (left-- > 0) await sessions?.end((await sessions?.begin(newUser(), newUser())) ?? '');
    });
  },

  /** Makes up so many sessions for `writeBatches`. */
  async prepareBatches({ count }: { count: number }): Promise<void> {
    const session = () => ({ id: newSessionId(), userA: newUser(), userB: newUser(), startedAt: Date.now() });
    const { batchSize } = BareSessions;
    for (let left = count; left > 0; left -= batchSize) {
      batches.push(Array.from({ length: Math.min(batchSize, left) }, session));
    }
  },

  /** Writes what is prepared with bare statements: all are created, then all are updated, batch by batch. */
  async writeBatches(): Promise<void> {
    for (const batch of batches) await bareSessions?.begin(batch);
    for (const batch of batches.splice(0)) {
      const endedAt = Date.now();
      await bareSessions?.end(batch.map(({ id }) => ({ id, endedAt, endReason: 'end', messages: 12 })));
    }
  },
};

interface MatchInput {
  matches: number;
  chats: number;
  atOnce?: number;
}

export type MatchCommands = typeof commands;

serveCommands(commands);

async function endOldest(): Promise<void> {
  const chat = found.shift();
  if (!chat) return;
  await matcher?.end(chat[0]);
  idle.push(...chat);
}

async function together(atOnce: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: atOnce }, work));
}

function users(count: number): string[] {
  return Array.from({ length: count }, newUser);
}

/** As long as the id of a socket. */
function newUser(): string {
  return randomBytes(15).toString('base64url');
}
