import { setTimeout as delay } from 'node:timers/promises';
import { Client } from './client.ts';

const retryMs = 200;

interface Welcome {
  token: string;
  resumed: boolean;
  session?: { sessionId: string };
}

/** What all users of a storm count together. */
export interface StormCounts {
  /** Connections that failed or were refused, and were tried again. */
  retries: number;
  /** What must not happen, in sentences. */
  violations: string[];
}

/** A user who can resume, and keeps an eye on what must be the same afterwards. */
export class StormUser {
  readonly #counts: StormCounts;
  #client: Client | undefined;
  #token: string | undefined;
  #sessionId: string | undefined;
  #matched: (() => void) | undefined;
  #received = 0;

  constructor(counts: StormCounts) {
    this.#counts = counts;
  }

  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  /** How many messages have arrived. */
  get received(): number {
    return this.#received;
  }

  /** Connects, and resumes if it was connected before; tries again until it is welcome. */
  async connect(port: number): Promise<void> {
    for (;;) {
      try {
        return await this.#connectOnce(port);
      } catch {
        this.#counts.retries += 1;
        await delay(retryMs * (0.5 + Math.random()));
      }
    }
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.#client?.cut();
  }

  /** Searches until there is a partner. */
  async search(): Promise<void> {
    const matched = new Promise<void>(resolve => {
      this.#matched = resolve;
    });
    await this.#client?.ask('search');
    await matched;
  }

  /** Says something in the chat; says it again while the server cannot pass it on. */
  async say(): Promise<void> {
    const message = { message: `in ${this.#sessionId}`, seq: 1, sessionId: this.#sessionId };
    while (!((await this.#client?.ask('message', message)) as { ok: boolean } | undefined)?.ok) await delay(retryMs);
  }

  async #connectOnce(port: number): Promise<void> {
    const welcome = await new Promise<Welcome>((resolve, reject) => {
      const listeners = {
        welcome: resolve,
        error: (text: string) => reject(new Error(text)),
        closed: reject,
        matched: ({ sessionId }: { sessionId: string }) => {
          this.#sessionId = sessionId;
          this.#matched?.();
        },
        message: ({ message, sessionId }: { message: string; sessionId: string }) => {
          this.#received += 1;
          if (this.#received > 1) this.#violation('A message came twice.');
          if (sessionId !== this.#sessionId || message !== `in ${sessionId}`)
            this.#violation('A message is of another chat.');
        },
        partner_left: () => this.#violation('A chat ended.'),
      };
      Client.connect(port, listeners, { resume: this.#token ?? true }).then(client => {
        this.#client = client;
      }, reject);
    });
    if (this.#token !== undefined) {
      if (!welcome.resumed) this.#violation('A user was not known any more.');
      else if (welcome.session?.sessionId !== this.#sessionId) this.#violation('A user came back to another chat.');
    }
    this.#token = welcome.token;
  }

  #violation(sentence: string): void {
    this.#counts.violations.push(sentence);
  }
}
