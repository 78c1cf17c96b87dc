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
import { readMessage, writeMessage } from './message-text.ts';
import { type Mismatch, SessionSide } from './session-side.ts';
import type { Tally } from './tally.ts';

type Sent = keyof ClientEvents;
type Received = keyof ServerEvents;

/** What was refused is tried again after this time, if the server names no other: from 1 to 2 s. */
const againMs = (): number => 1000 + 1000 * Math.random();

/** What all users of one worker have in common. */
export interface UserSetting {
  tally: Tally;
  run: string;
  messageCharacters: number;
  /** Whether users ask to be known again when they come back. */
  resumes: boolean;
  clientOptions: LightClientOptions;
  /** The sides of which the end is not known yet. */
  sides: Set<SessionSide>;
  /** A side is over, and all that it asked is answered. */
  ended: (side: SessionSide) => void;
  /** Told of each mismatch, in a sentence. */
  complain: (sentence: string) => void;
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
  readonly #name: string;
  readonly #url: string;
  readonly #setting: UserSetting;
  readonly #listener: UserListener;
  #client: LightClient<Sent, Received> | undefined;
  #state: UserState = 'away';
  #side: SessionSide | undefined;
  /** The session before, of whose end word may still come. */
  #before: string | undefined;
  #token: string | undefined;
  #graceMs = 0;
  /** Since when a user who was here is gone. */
  #goneAt: number | undefined;
  #connectDueAt = 0;
  #searchDueAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param name unlike that of all others in the run */
  constructor(name: string, url: string, setting: UserSetting, listener: UserListener) {
    this.#name = name;
    this.#url = url;
    this.#setting = setting;
    this.#listener = listener;
  }

  get state(): UserState {
    return this.#state;
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
    this.#become('parting');
    this.#ask('skip', [], reply => {
      if (this.#state !== 'parting') return;
      if (reply.ok) {
        this.#part();
        this.#become('waiting');
      } else this.#stay(reply.error.retryAfterMs, () => this.skip(dueAt));
    });
  }

  end(): void {
    this.#become('parting');
    this.#ask('end_chat', [], reply => {
      if (this.#state !== 'parting') return;
      if (reply.ok) {
        this.#part();
        this.#become('idle');
        this.#listener.parted?.(this);
      } else this.#stay(reply.error.retryAfterMs, () => this.end());
    });
  }

  /** Writes a message. @returns whether there is a partner to write to */
  say(dueAt: number): boolean {
    const side = this.#side;
    if (this.#state !== 'paired' || !side) return false;
    const { run, messageCharacters, tally } = this.#setting;
    const n = side.write();
    const mark = { run, session: side.session, user: this.#name, n, at: dueAt };
    const input: MessageInput = { message: writeMessage(mark, messageCharacters) };
    tally.counts.sent += 1;
    this.#client?.ask('message' satisfies Sent, [input], answer => {
      const reply = answer as Ack<{ id: string }> | undefined;
      side.answered(n, reply === undefined ? 'unknown' : reply.ok ? 'accepted' : 'refused');
      if (reply && !reply.ok) {
        // The chat ended while the message was on its way: so it goes.
        const isLate = reply.error.code === 'NOT_IN_CHAT' && (side !== this.#side || this.#state === 'parting');
        if (isLate) tally.counts.late += 1;
        else tally.error(reply.error.code);
      }
      if (side !== this.#side) this.#release(side);
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
        this.#shown(first as ChatMessage);
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
    // A chat is over with the connection, unless its user can come back to it.
    if (this.#token === undefined) this.#part();
    this.#become('away');
  }

  #welcomed({ token, resumed, graceMs, state, session }: Welcome): void {
    const inTime = this.#goneAt !== undefined && now() - this.#goneAt < this.#graceMs;
    if (this.#token !== undefined && !resumed) {
      if (inTime) this.#mismatch('not resumed', `User ${this.#name} came back in time and was not known any more.`);
      else this.#setting.tally.error('NOT_RESUMED');
    }
    this.#token = token;
    this.#graceMs = graceMs;
    if (this.#side && session?.sessionId !== this.#side.session) {
      this.#setting.tally.error('CHAT_ENDED_WHILE_AWAY');
      this.#part();
    }
    if (session && !this.#side) this.#begin(session.sessionId);
    this.#arrive(state);
  }

  #matched({ sessionId }: Matched): void {
    const { tally } = this.#setting;
    tally.counts.matched += 1;
    if (this.#state === 'paired') {
      this.#mismatch(
        'second chat',
        `User ${this.#name} was matched in a chat, ${this.#side?.session}, with ${sessionId}.`,
      );
    } else if (this.#state === 'idle') {
      this.#mismatch('unasked match', `User ${this.#name} was matched without a search, in ${sessionId}.`);
    } else tally.latency('match', now() - this.#searchDueAt);
    this.#part();
    this.#begin(sessionId);
    this.#become('paired');
    this.#listener.matched?.(this);
  }

  #left({ sessionId }: PartnerLeft): void {
    if (this.#side?.session !== sessionId) {
      // Both may have parted in the same moment.
      if (this.#before !== sessionId)
        this.#mismatch('unknown chat', `User ${this.#name} was told the end of ${sessionId}.`);
      return;
    }
    this.#part();
    if (this.#state !== 'paired') return; // The answer to skip or end is on its way.
    this.#become('idle');
    this.#listener.parted?.(this);
  }

  #shown({ message }: ChatMessage): void {
    const mark = readMessage(message);
    const { tally, run } = this.#setting;
    if (!mark) {
      this.#mismatch('unreadable', `User ${this.#name} got a message that no load tester wrote.`);
      return;
    }
    const wrong = this.#side ? this.#side.take(mark) : 'wrong chat';
    if (wrong) {
      const { session, user, n } = mark;
      const where = this.#side ? `was in ${this.#side.session}` : 'was in no chat';
      this.#mismatch(
        wrong,
        `User ${this.#name} ${where} and got message ${n} of user ${user} in ${session}: ${wrong}.`,
      );
    }
    if (wrong === undefined || wrong === 'order') {
      tally.counts.delivered += 1;
      // Another run may be on another machine, with another clock.
      if (mark.run === run) tally.latency('delivery', now() - mark.at);
    }
  }

  #begin(session: string): void {
    this.#side = new SessionSide(session, this.#name);
    this.#setting.sides.add(this.#side);
  }

  #part(): void {
    const side = this.#side;
    if (!side) return;
    side.leave();
    this.#before = side.session;
    this.#side = undefined;
    this.#release(side);
  }

  /** Neither skip nor end was possible. */
  #stay(retryAfterMs = againMs(), again: () => void): void {
    if (this.#side) {
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
  }

  #ask(event: Sent, args: readonly unknown[], then: (reply: Ack<StateReply>) => void): void {
    const client = this.#client;
    client?.ask(event, args, answer => {
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

  #mismatch(kind: Mismatch, sentence: string): void {
    this.#setting.tally.mismatch(kind);
    this.#setting.complain(sentence);
  }

  #release(side: SessionSide): void {
    if (!side.isPending && this.#setting.sides.delete(side)) this.#setting.ended(side);
  }
}
