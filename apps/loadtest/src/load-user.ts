import type {
  Ack,
  ChatMessage,
  ClientEvents,
  ErrorDetails,
  Handshake,
  Matched,
  MessageInput,
  PartnerLeft,
  ServerEvents,
  StateReply,
  Welcome,
} from '@passerby/protocol';
import { now } from './clock.ts';
import { errorCode } from './error-code.ts';
import { type Closed, LightClient, type LightClientHandlers, type LightClientOptions } from './light-client.ts';
import { type SessionSetting, UserSessions } from './user-sessions.ts';

type Sent = keyof ClientEvents;
type Received = keyof ServerEvents;

/** What was refused is tried again after this time, if the server names no other: from 1 to 2 s. */
const againMs = (): number => 1000 + 1000 * Math.random();

/** What all users of one worker have in common. */
export interface UserSetting extends SessionSetting {
  /** Whether users ask to be known again when they come back. */
  resumes: boolean;
  clientOptions: LightClientOptions;
}

/** What a scenario does about its users. */
export interface UserListener {
  /** Here and idle, for the first time or again. */
  arrived?(user: LoadUser): void;
  matched?(user: LoadUser): void;
  /** The chat is over, and the user is idle. */
  parted?(user: LoadUser): void;
}

/**
 * - `away`: not connected
 * - `parting`: paired, but on the way out: to the next partner, or to be idle
 */
export type UserState = 'away' | 'idle' | 'waiting' | 'paired' | 'parting';

/** One user: does what a scenario says, when it says so, and checks all that comes. */
export class LoadUser implements LightClientHandlers<Received> {
  readonly name: string;
  readonly #url: string;
  readonly #setting: UserSetting;
  readonly #listener: UserListener;
  readonly #sessions: UserSessions;
  #client: LightClient<Sent, Received> | undefined;
  #state: UserState = 'away';
  #token: string | undefined;
  #graceMs = 0;
  /** Since when a user who was here is gone. */
  #goneAt: number | undefined;
  #connectDueAt = 0;
  #searchDueAt = 0;
  /** While parting: whether no next partner is looked for. */
  #ending = false;
  /** Whether the connection was lost while a skip was under way: the next chat may have begun. */
  #mayHaveNext = false;
  #waitingSince = 0;
  /** What the server was asked and has not answered yet. */
  readonly #asked = new Set<{ event: Sent; at: number }>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param name unlike that of all others in the run */
  constructor(name: string, url: string, setting: UserSetting, listener: UserListener) {
    this.name = name;
    this.#url = url;
    this.#setting = setting;
    this.#listener = listener;
    this.#sessions = new UserSessions(name, setting);
  }

  get state(): UserState {
    return this.#state;
  }

  /** Whether no partner has come since then. */
  isWaitingSince(at: number): boolean {
    return this.#state === 'waiting' && this.#waitingSince <= at;
  }

  /** The first command since before then that has no answer. */
  unanswered(askedBefore: number): Sent | undefined {
    for (const { event, at } of this.#asked) if (at <= askedBefore) return event;
    return undefined;
  }

  /** Connects, and keeps trying. @param dueAt when that was to be */
  connect(dueAt: number): void {
    this.#connectDueAt = dueAt;
    this.#open();
  }

  search(dueAt: number): void {
    this.#searchDueAt = dueAt;
    this.#become('waiting');
    this.#ask('search', [{}], reply => {
      if (reply.ok || this.#state !== 'waiting') return;
      this.#become('idle');
      this.#later(reply.error.retryAfterMs ?? againMs(), () => {
        if (this.#state === 'idle') this.search(dueAt);
      });
    });
  }

  skip(dueAt: number): void {
    this.#searchDueAt = dueAt;
    this.#ending = false;
    this.#become('parting');
    this.#ask('skip', [], reply => {
      if (this.#state !== 'parting') return;
      if (!reply.ok) return this.#stay(reply.error.retryAfterMs, () => this.skip(dueAt));
      this.#sessions.part();
      // Idle if the next partner has left again already.
      if (reply.state === 'idle') {
        this.#setting.tally.counts.untold += 1;
        this.#partAndTell();
      } else this.#become('waiting');
    });
  }

  end(): void {
    this.#ending = true;
    this.#become('parting');
    this.#ask('end_chat', [], reply => {
      if (this.#state !== 'parting') return;
      if (reply.ok) this.#partAndTell();
      else this.#stay(reply.error.retryAfterMs, () => this.end());
    });
  }

  /** Writes a message. @returns whether there is a partner to write to */
  say(dueAt: number): boolean {
    const written = this.#state === 'paired' ? this.#sessions.write(dueAt) : undefined;
    if (!written) return false;
    const input: MessageInput = { message: written.text };
    this.#client?.ask('message', [input], answer => {
      written.answered(answer as Ack<object> | undefined, this.#state === 'parting');
    });
    return true;
  }

  /** Loses the connection, and comes back at once. */
  cut(dueAt: number): void {
    if (this.#state === 'away') return;
    this.#client?.cut();
    this.#gone(dueAt);
    this.#open();
  }

  /** Leaves for good. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#client?.close();
  }

  connected(): void {
    // One who can resume is here when the server has said who they are.
    if (!this.#setting.resumes) this.#arrive('idle');
  }

  event(name: Received, [first, second]: unknown[]): void {
    switch (name) {
      case 'message':
        this.#sessions.shown(first as ChatMessage);
        break;
      case 'matched':
        this.#matched(first as Matched);
        break;
      case 'partner_left':
        this.#left(first as PartnerLeft);
        break;
      case 'welcome':
        this.#welcomed(first as Welcome);
        break;
      case 'error':
        this.#setting.tally.error((second as ErrorDetails | undefined)?.code ?? 'ERROR');
        break;
      default: // Nothing that the state depends on.
    }
  }

  closed(closed: Closed): void {
    const { tally } = this.#setting;
    tally.error(errorCode(closed));
    if (this.#state !== 'away') {
      tally.counts.disconnects += 1;
      this.#gone(now());
    }
    const { retryAfterMs = 0 } = (closed.data ?? {}) as Partial<ErrorDetails>;
    this.#later(retryAfterMs + againMs(), () => this.#open());
  }

  #open(): void {
    const auth: Handshake | undefined = this.#setting.resumes ? { resume: this.#token ?? true } : undefined;
    this.#client = new LightClient(this.#url, this, { ...this.#setting.clientOptions, ...(auth && { auth }) });
  }

  #arrive(state: UserState): void {
    const { tally } = this.#setting;
    tally.counts.connects += 1;
    if (this.#goneAt === undefined) tally.latency('connect', now() - this.#connectDueAt);
    else tally.latency('reconnect', now() - this.#goneAt);
    this.#goneAt = undefined;
    this.#become(state);
    if (state === 'idle') this.#listener.arrived?.(this);
  }

  #gone(since: number): void {
    clearTimeout(this.#timer);
    this.#goneAt = since;
    this.#mayHaveNext = this.#state === 'parting' && !this.#ending;
    // A chat that had just begun stays unknown to this user.
    if (this.#state === 'waiting' || this.#mayHaveNext) this.#setting.tally.counts.untold += 1;
    // A chat is over with the connection, unless its user can come back to it.
    if (this.#token === undefined) this.#sessions.part();
    this.#become('away');
  }

  #welcomed({ token, resumed, graceMs, state, session }: Welcome): void {
    const inTime = this.#goneAt !== undefined && now() - this.#goneAt < this.#graceMs;
    if (this.#token !== undefined && !resumed) {
      const sentence = `User ${this.name} came back in time and was not known any more.`;
      if (inTime) this.#setting.mismatch('not resumed', sentence);
      else this.#setting.tally.error('NOT_RESUMED');
    }
    this.#token = token;
    this.#graceMs = graceMs;
    const { current } = this.#sessions;
    if (current !== undefined && session?.sessionId !== current) {
      if (session && !this.#mayHaveNext) {
        const sentence = `User ${this.name} was in ${current}, and came back into ${session.sessionId}.`;
        this.#setting.mismatch('second chat', sentence);
      }
      this.#setting.tally.error('CHAT_ENDED_WHILE_AWAY');
      this.#sessions.part();
    }
    if (session && session.sessionId !== current) this.#sessions.begin(session.sessionId);
    this.#arrive(state);
  }

  #matched({ sessionId }: Matched): void {
    const { tally, mismatch } = this.#setting;
    tally.counts.matched += 1;
    const who = `User ${this.name}`;
    if (this.#state === 'paired') {
      mismatch('second chat', `${who} was matched in a chat, ${this.#sessions.current}, with ${sessionId}.`);
    } else if (this.#state === 'idle' || (this.#state === 'parting' && this.#ending)) {
      mismatch('unasked match', `${who} was matched without a search, in ${sessionId}.`);
    } else tally.latency('match', now() - this.#searchDueAt);
    this.#sessions.part();
    this.#sessions.begin(sessionId);
    this.#become('paired');
    this.#listener.matched?.(this);
  }

  #left({ sessionId }: PartnerLeft): void {
    if (this.#sessions.current !== sessionId) {
      // Both may have parted in the same moment.
      if (this.#sessions.before === sessionId) return;
      // A partner may leave before this user could be told of the match.
      if (this.#state !== 'waiting' && this.#state !== 'parting') {
        this.#setting.mismatch('unknown chat', `User ${this.name} was told the end of ${sessionId}.`);
        return;
      }
      this.#sessions.missed(sessionId);
    }
    if (this.#state === 'parting')
      this.#sessions.part(); // The answer to skip or end is on its way.
    else this.#partAndTell();
  }

  #partAndTell(): void {
    this.#sessions.part();
    this.#become('idle');
    this.#listener.parted?.(this);
  }

  /** Neither skip nor end was possible. */
  #stay(retryAfterMs = againMs(), again: () => void): void {
    if (this.#sessions.current !== undefined) {
      this.#become('paired');
      this.#later(retryAfterMs, () => {
        if (this.#state === 'paired') again();
      });
    } else {
      this.#become('idle');
      this.#listener.parted?.(this);
    }
  }

  #become(state: UserState): void {
    const { tally } = this.#setting;
    const count = (of: UserState, by: number): void => {
      if (of !== 'away') tally.connected += by;
      if (of === 'paired' || of === 'parting') tally.paired += by;
    };
    count(this.#state, -1);
    count(state, 1);
    this.#state = state;
    if (state === 'waiting') this.#waitingSince = now();
  }

  #ask(event: Sent, args: readonly unknown[], then: (reply: Ack<StateReply>) => void): void {
    const client = this.#client;
    if (!client) return;
    const asked = { event, at: now() };
    this.#asked.add(asked);
    client.ask(event, args, answer => {
      this.#asked.delete(asked);
      if (answer === undefined || client !== this.#client) return;
      const reply = answer as Ack<StateReply>;
      if (!reply.ok) this.#setting.tally.error(reply.error.code);
      then(reply);
    });
  }

  #later(ms: number, task: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(task, ms);
  }
}
