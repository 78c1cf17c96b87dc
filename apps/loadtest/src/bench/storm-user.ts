import { setTimeout as delay } from 'node:timers/promises';
import { Client } from './client.ts';

const retryMs = 200;

interface Session {
  sessionId: string;
}

interface Welcome {
  token: string;
  resumed: boolean;
  graceMs: number;
  session?: Session;
}

/** What all users of a storm count together. */
export interface StormCounts {
  /** What was tried again: connections that failed, were refused or ended by the server, and messages not passed on. */
  retries: number;
  /** Users who were away for longer than the server waits, or whose partners were: their chats are over, as they should be. */
  tooLate: number;
  /** What must not happen, in sentences. */
  violations: string[];
}

/**
 * A user who can resume, and who connects again whenever the connection ends. Until told to stay, it searches whenever it is
 * in no chat; from then on it takes note of all that is not as it was.
 */
export class StormUser {
  readonly #counts: StormCounts;
  #client: Client | undefined;
  #port = 0;
  #token: string | undefined;
  #session: Session | undefined;
  #stays = false;
  #here = false;
  #cutAt = 0;
  #graceMs = Number.POSITIVE_INFINITY;
  readonly #received = new Set<string>();

  constructor(counts: StormCounts) {
    this.#counts = counts;
  }

  /** Whether it is connected and in a chat. */
  get isInChat(): boolean {
    return this.#here && this.#session !== undefined;
  }

  get sessionId(): string | undefined {
    return this.#session?.sessionId;
  }

  /** Whether the partner's message has arrived. */
  get hasHeard(): boolean {
    return this.#received.size > 0;
  }

  /** Connects, and resumes if it was connected before; tries again until it is welcome. */
  async connect(port: number): Promise<void> {
    this.#port = port;
    while (!this.#here) {
      await this.#connectOnce().catch(async () => {
        this.#counts.retries += 1;
        await delay(retryMs * (0.5 + Math.random()));
      });
    }
  }

  /** From now on the chat has to stay what it is. */
  stay(): void {
    this.#stays = true;
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.#here = false;
    this.#cutAt = performance.now();
    this.#client?.cut();
  }

  /** Says something in the chat; says it again while the server cannot pass it on, or its answer does not come. */
  async say(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const message = { message: `in ${this.sessionId}, attempt ${attempt}`, seq: 1, ...this.#session };
      const answer = (await this.#client?.ask('message', message)) as { ok: boolean } | undefined;
      if (answer?.ok) return;
      this.#counts.retries += 1;
      await delay(retryMs);
    }
  }

  async #connectOnce(): Promise<void> {
    let hasEnded = false;
    await new Promise<void>((resolve, reject) => {
      const listeners = {
        // At once: what comes next may be a match.
        welcome: (welcome: Welcome) => {
          this.#enter(welcome);
          resolve();
        },
        error: (text: string) => reject(new Error(text)),
        closed: (reason: string) => {
          hasEnded = true;
          reject(new Error(reason));
          this.#closed();
        },
        matched: ({ sessionId }: Session) => {
          this.#session = { sessionId };
        },
        message: (message: Session & { message: string }) => this.#receive(message),
        partner_left: ({ reason }: { reason: string }) => this.#left(reason),
      };
      Client.connect(this.#port, listeners, { resume: this.#token ?? true }).then(client => {
        this.#client = client;
      }, reject);
    });
    this.#here = !hasEnded;
    if (!this.#session) this.#search();
  }

  #enter({ token, resumed, graceMs, session }: Welcome): void {
    if (this.#stays && session?.sessionId !== this.sessionId) {
      // The server hears of the end after this client, and waits from then on; all partners were cut off at the same moment.
      if (performance.now() - this.#cutAt >= this.#graceMs) this.#counts.tooLate += 1;
      else if (!resumed) this.#violation('A user was not known any more.');
      else this.#violation(session ? 'A user came back to another chat.' : 'A chat ended while its users were away.');
    }
    this.#graceMs = graceMs;
    this.#token = token;
    this.#session = session && { sessionId: session.sessionId };
  }

  #search(): void {
    this.#client?.emit('search');
  }

  /** What was said again may come again, which clients see by its number; but each attempt comes once at most. */
  #receive({ message, sessionId }: Session & { message: string }): void {
    if (this.#received.has(message)) this.#violation('A message came twice.');
    this.#received.add(message);
    if (sessionId !== this.sessionId || !message.startsWith(`in ${sessionId},`)) {
      this.#violation('A message is of another chat.');
    }
  }

  #left(reason: string): void {
    if (this.#stays && reason === 'timeout') this.#counts.tooLate += 1;
    else if (this.#stays) this.#violation(`A chat ended: ${reason}.`);
    this.#session = undefined;
    this.#search();
  }

  #closed(): void {
    if (!this.#here) return;
    this.#here = false;
    this.#counts.retries += 1;
    void this.connect(this.#port);
  }

  #violation(sentence: string): void {
    this.#counts.violations.push(sentence);
  }
}
