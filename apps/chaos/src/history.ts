import type { EndReason } from '@passerby/protocol';

/*
 * What happened in a run, as the clients saw it, and what lay in the databases at its end: all that the checker knows.
 * Times are ms since the run began, on the monotonic clock of the one process that holds all clients.
 *
 * A user here is a user as the server means it: a plain client that comes back is another one. A person is whoever sits
 * before the client. Users have names of our own, `p7.2`, as a person's second user.
 */

export type ClientKind = 'plain' | 'resuming';
export type State = 'idle' | 'waiting' | 'paired';
export type OperationName = 'connect' | 'search' | 'send' | 'skip' | 'end';

/** Something that a client asked for. It is open while `endedAt` is missing. */
export interface Operation {
  kind: 'op';
  at: number;
  user: string;
  op: OperationName;
  endedAt?: number;
  /** `unknown`: no answer came, so it may have been done, or may still be. */
  outcome?: 'ok' | 'failed' | 'unknown';
  /** The error's code; `TIMEOUT` and `CONNECTION` are ours: no answer in time, and no answer because the connection went. */
  code?: string;
  /** The session that the user was in when asking. */
  session?: string;
  /** The number of a message, from 1 in each session. */
  n?: number;
  /** What the answer said that the user is now doing. */
  reply?: { state: string; sessionId?: string };
}

/** One fault, from before it was injected to when everything that it touched could work again. */
export interface FaultEvent {
  kind: 'fault';
  at: number;
  name: string;
  /** What it was done to, for people. */
  target: string;
  healedAt?: number;
  /** Processes that did not run meanwhile, killed or stopped. */
  halts: string[];
  /** Nodes that could not talk with Redis, or only late. */
  cuts: string[];
  /** Redis was away, or refused, for everybody. */
  redis: boolean;
  /** Facts could not be recorded. */
  recording: boolean;
  /** Redis lost its data. */
  losesData: boolean;
  /** Of a fault that touches one node after the other: that it touches this one now. The fault itself touches nothing then. */
  part?: true;
}

/** Somebody else showed the token that the user had before the present one. */
export interface StrangerEvent {
  kind: 'stranger';
  at: number;
  user: string;
  endedAt?: number;
  /** Whether the server took them for the user; missing while nobody knows. */
  resumed?: boolean;
}

export type HistoryEvent =
  | Operation
  | FaultEvent
  /** `userId`: what the server calls this user. */
  | { kind: 'user'; at: number; user: string; userId: string; person: string; client: ClientKind }
  /** The user has a connection, by this node, which says to a client that resumes what it is doing. */
  | { kind: 'up'; at: number; user: string; node: string; state?: State }
  /** The connection is lost, and the user will try to come back; or the page is loaded again. */
  | { kind: 'down'; at: number; user: string; reload?: true }
  /** The user will never come back. */
  | { kind: 'gone'; at: number; user: string; how: 'left' | 'lost' }
  | { kind: 'matched'; at: number; user: string; session: string }
  | { kind: 'over'; at: number; user: string; session: string; reason: EndReason }
  | { kind: 'away' | 'back'; at: number; user: string; session: string }
  /** The user's tab was copied: the copy connects with the same token while the first tab is still open. */
  | { kind: 'copied'; at: number; user: string }
  /** The first tab's connection is gone: it was told that it is `replaced`, or was `lost`, or the person `left` it. */
  | { kind: 'closed'; at: number; user: string; how: 'replaced' | 'lost' | 'left' }
  | StrangerEvent
  /** A message was shown to `user`; the rest is what its text says. `late`: in a tab that had been copied before. */
  | { kind: 'shown'; at: number; user: string; from: string; session: string; n: number; late?: true }
  /** The client of `user` says that this message was shown to the partner. */
  | { kind: 'delivered'; at: number; user: string; session: string; n: number }
  /** Something that must not happen at all, whatever else does: a sentence. */
  | { kind: 'complaint'; at: number; text: string; user?: string }
  /** This process itself stood still for `ms`, so clients saw everything later than it came. */
  | { kind: 'stall'; at: number; ms: number }
  /** So many facts wait to be recorded. */
  | { kind: 'outbox'; at: number; waiting: number }
  | { kind: 'phase'; at: number; phase: 'load' | 'roll-call' | 'closing' };

/** A row of the table ChatSession; times in ms since the epoch. */
export interface SessionRow {
  id: string;
  userA: string;
  userB: string;
  startedAt: number;
  endedAt: number | null;
  endReason: string | null;
}

/** What was found when all clients had left and every grace time was over. */
export interface EndState {
  rows: SessionRow[];
  /** Keys in Redis that are not empty, with what is in them, without the leases. */
  keys: string[];
  /** The nodes that hold a lease. */
  leases: string[];
  /** The nodes that ran. */
  nodes: string[];
  /** The nodes that held a lease when all had been stopped in good order. */
  leasesLeft: string[];
}

export interface Settings {
  seed: number;
  /** Within this, everyone must be told. */
  boundMs: number;
  leaseMs: number;
  graceMs: number;
  /** Made wrong on purpose, if anything. */
  broken?: string;
}

export interface History {
  settings: Settings;
  events: HistoryEvent[];
  end: EndState;
}

type WithoutTime<E> = E extends unknown ? Omit<E, 'at'> : never;

/** Writes down what happens, with the time. */
export class Recording {
  readonly events: HistoryEvent[] = [];
  readonly #clock: () => number;
  readonly #startedAt: number;

  /** @param clock in ms since some moment */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#startedAt = clock();
  }

  now(): number {
    return this.#clock() - this.#startedAt;
  }

  /** Adds an event. What is returned may be filled in later. */
  add<E extends HistoryEvent>(event: WithoutTime<E>): E {
    const whole = { at: this.now(), ...event } as unknown as E;
    this.events.push(whole);
    return whole;
  }
}
