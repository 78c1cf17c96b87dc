import type { EndReason } from '@passerby/protocol';
import type { ClientKind, FaultEvent, History, HistoryEvent, Operation, SessionRow } from './history.ts';

/** What a client was told is refused may be carried out for so long. */
export const mayStillComeMs = 3000;

/** One user's time in one session, as its client saw it. */
export interface Stay {
  user: string;
  session: string;
  /** When the client was told of the match; or of the end, if of that alone. */
  from: number;
  /** False when the client was told only that it was over. */
  matched: boolean;
  /** When the client was told that it is over. */
  toldAt?: number;
  /** What the client was told then. */
  reason?: EndReason;
  /** What the user asked for that may have left it, whatever came of it. */
  asks: Operation[];
  /** When the server said that the user has left it. */
  leftAt?: number;
  /** When the user was gone for good. */
  goneAt?: number;
  /** When the client was told of the next match without having been told of the end of this one. */
  replacedAt?: number;
}

export interface UserTimeline {
  user: string;
  /** What the server calls it. */
  userId: string | undefined;
  client: ClientKind;
  /** All that it did and saw, in order; an operation is where it was asked. */
  events: HistoryEvent[];
  stays: Stay[];
  /** Messages that were shown while the user was not in their session, and where it was. */
  strays: (Pick<Extract<HistoryEvent, { kind: 'shown' }>, 'at' | 'from' | 'session' | 'n' | 'late'> & {
    now: string | undefined;
  })[];
  goneAt: number | undefined;
  /** Whether it was waiting when it was gone. */
  goneWaiting: boolean;
  /** When it waited for sure, from and to; also while it had no connection, if it was back in time. */
  waits: [from: number, to: number][];
  /** When it was told that it does not wait, though it had waited when it lost the connection. */
  lostPlaces: { downAt: number; at: number }[];
  /** When it got a connection, and to which node. */
  ups: { at: number; node: string }[];
  /** When it had no connection, from and to. */
  downs: [from: number, to: number][];
}

/** Something that a check finds wrong. */
export interface Violation {
  check: string;
  at: number;
  text: string;
  users: string[];
}

/** A history, put in order by user and by session. */
export interface Timeline {
  history: History;
  users: Map<string, UserTimeline>;
  /** All stays in a session, by its id. */
  sessions: Map<string, Stay[]>;
  /** What is recorded of a session, by its id. */
  rows: Map<string, SessionRow>;
  /** By what the server calls them. */
  usersById: Map<string, UserTimeline>;
  faults: FaultEvent[];
  /** When this process itself stood still, and for how long. */
  stalls: { at: number; ms: number }[];
  /** When the run began, in ms since the epoch, as far as that follows from the rows. */
  epochMs: number;
  rollCallAt: number;
  closingAt: number;
  /** What the walk itself found wrong. */
  violations: Violation[];
}

type Step = { at: number } & ({ event: HistoryEvent } | { answered: Operation });

/** Follows each user through the history. Every oddity that can be seen from one client alone becomes a violation. */
export function timelineOf(history: History): Timeline {
  const { events } = history;
  const users = new Map<string, UserTimeline>();
  const phases = new Map(events.flatMap(event => (event.kind === 'phase' ? [[event.phase, event.at]] : [])));
  for (const event of events) {
    if (!('user' in event) || event.user === undefined) continue;
    const known = users.get(event.user) ?? newUser(event.user);
    users.set(event.user, known);
    known.events.push(event);
    if (event.kind === 'user') {
      known.userId = event.userId;
      known.client = event.client;
    }
  }
  const violations: Violation[] = [];
  const sessions = new Map<string, Stay[]>();
  for (const user of users.values()) {
    violations.push(...walk(user));
    for (const stay of user.stays) sessions.set(stay.session, [...(sessions.get(stay.session) ?? []), stay]);
  }
  // Whoever is told of a match is told after its start.
  const offsets = history.end.rows.flatMap(({ id, startedAt }) =>
    (sessions.get(id) ?? []).map(({ from }) => startedAt - from),
  );
  return {
    epochMs: offsets.reduce((most, offset) => Math.max(most, offset), Number.NEGATIVE_INFINITY),
    ...{ history, users, sessions, violations },
    rows: new Map(history.end.rows.map(row => [row.id, row])),
    usersById: new Map([...users.values()].flatMap(user => (user.userId ? [[user.userId, user]] : []))),
    faults: events.filter(event => event.kind === 'fault'),
    stalls: events.filter(event => event.kind === 'stall'),
    rollCallAt: phases.get('roll-call') ?? Number.POSITIVE_INFINITY,
    closingAt: phases.get('closing') ?? Number.POSITIVE_INFINITY,
  };
}

/** When the user's part in it ended, as far as the client knows; infinite if it never did. */
export function endOfStay({ toldAt, leftAt, goneAt, replacedAt }: Stay): number {
  const ends = [toldAt, leftAt, goneAt, replacedAt].filter(end => end !== undefined);
  return Math.min(Number.POSITIVE_INFINITY, ...ends);
}

/** When the user was perhaps leaving. Nothing is owed then: what was refused may have been done, or is on its way. */
export function leavings({ asks }: Pick<Stay, 'asks'>): [from: number, to: number][] {
  return asks.map(({ at, endedAt = Infinity, outcome }) => [at, outcome === 'ok' ? endedAt : endedAt + mayStillComeMs]);
}

/** The other user of a session, also one who was gone before they heard of it; as far as it is known. */
export function partnerOf(user: string, session: string, timeline: Timeline): UserTimeline | undefined {
  const { sessions, users, rows, usersById } = timeline;
  const seen = sessions.get(session)?.find(stay => stay.user !== user);
  if (seen) return users.get(seen.user);
  const row = rows.get(session);
  return [row?.userA, row?.userB].flatMap(id => usersById.get(id ?? '') ?? []).find(each => each.user !== user);
}

/** From when to when a fault touched the node that the user was connected to. Whoever is elsewhere by then is not touched. */
export function touchesOf(fault: FaultEvent, user: UserTimeline | undefined): [from: number, to: number][] {
  const { halts, cuts, at, healedAt = Infinity } = fault;
  const { ups = [] } = user ?? {};
  return ups.flatMap((up, index) => {
    const from = Math.max(at, up.at);
    const to = Math.min(healedAt, ups[index + 1]?.at ?? Infinity);
    return from <= to && (halts.includes(up.node) || cuts.includes(up.node)) ? [[from, to] as [number, number]] : [];
  });
}

/** The node that the user was connected to at that time. */
export function nodeAt(user: UserTimeline | undefined, at: number): string | undefined {
  return user?.ups.findLast(up => up.at <= at)?.node;
}

/**
 * When the users of a node are known again that Redis has lost with its data: a lease after the node can talk with it again,
 * also if another fault hinders that.
 */
export function restoredAt(fault: FaultEvent, node: string | undefined, { faults, history }: Timeline): number {
  let healedAt = fault.healedAt ?? Number.POSITIVE_INFINITY;
  const hinders = ({ redis, halts, cuts }: FaultEvent) =>
    redis || (node !== undefined && (halts.includes(node) || cuts.includes(node)));
  for (const other of faults.toSorted((one, another) => one.at - another.at)) {
    const { at, healedAt: until = Number.POSITIVE_INFINITY } = other;
    if (hinders(other) && at <= healedAt + history.settings.leaseMs && until > healedAt) healedAt = until;
  }
  return healedAt + history.settings.leaseMs;
}

function newUser(user: string): UserTimeline {
  const nothing = { userId: undefined, client: 'plain' as const, goneAt: undefined, goneWaiting: false };
  return { user, ...nothing, events: [], stays: [], strays: [], waits: [], lostPlaces: [], ups: [], downs: [] };
}

function walk(user: UserTimeline): Violation[] {
  const walker = new Walker(user);
  const steps: Step[] = user.events.map(event => ({ at: event.at, event }));
  for (const event of user.events) {
    if (event.kind === 'op' && event.op !== 'send' && event.endedAt !== undefined) {
      steps.push({ at: event.endedAt, answered: event });
    }
  }
  steps.sort((one, other) => one.at - other.at);
  for (const step of steps) {
    if ('event' in step) walker.see(step.event);
    else walker.answered(step.answered);
  }
  return walker.violations;
}

/** What one client was told, step by step. */
class Walker {
  readonly violations: Violation[] = [];
  readonly #user: UserTimeline;
  /** Where the user is now. */
  #stay: Stay | undefined;
  /** Whether a match may come: it has been asked for, or may have been. */
  #wants = false;
  /** Questions of search, skip and end that are open. */
  readonly #open = new Set<Operation>();
  /** A search or skip of which nobody knows what came of it: the page that asked was left. It may still bring a match. */
  #perhapsWants = false;
  /** The user asked to leave this session, and no answer said that it did not happen. */
  #perhapsLeft: Stay | undefined;
  #downAt: number | undefined;
  /** It waits for sure: it was told so, and has asked for nothing since. */
  #hasPlace = false;
  /** Since when it has been so, but for searches meanwhile, which change nothing. */
  #waitsSince: number | undefined;
  /** What the last answer said, unless something came after it. */
  #waiting = false;

  constructor(user: UserTimeline) {
    this.#user = user;
  }

  see(event: HistoryEvent): void {
    if (event.kind === 'op') this.#asked(event);
    else if (event.kind === 'matched') this.#matched(event.at, event.session);
    else if (event.kind === 'over') this.#over(event);
    else if (event.kind === 'shown') this.#shown(event);
    else if (event.kind === 'down') this.#downAt ??= event.at;
    else if (event.kind === 'up') this.#up(event);
    else if (event.kind === 'gone') this.#gone(event.at);
    const isSearch = event.kind === 'op' && event.op === 'search';
    if (!this.#hasPlace && !isSearch) this.#waitsUntil(event.at);
  }

  answered(operation: Operation): void {
    this.#open.delete(operation);
    const { op, outcome, reply, endedAt = 0 } = operation;
    // Asked for in the session before, perhaps, by a client that does not name it: this one may be left by it all the same.
    if (outcome !== 'ok' && (op === 'end' || op === 'skip') && this.#stay) this.#perhapsLeft = this.#stay;
    if (outcome === 'unknown' && op !== 'end') this.#perhapsWants = true;
    if (outcome !== 'ok' || reply?.state !== 'waiting') this.#waitsUntil(endedAt);
    if (outcome !== 'ok' || !reply) return;
    this.#perhapsWants = false;
    const elsewhere = reply.state !== 'paired' || reply.sessionId !== this.#stay?.session;
    if ((op === 'end' || op === 'skip') && this.#stay && elsewhere) {
      this.#stay.leftAt = endedAt;
      this.#stay = undefined;
    }
    const earlier = this.#user.stays.find(stay => stay.session === reply.sessionId && endOfStay(stay) < endedAt);
    if (earlier && reply.state === 'paired') {
      this.#violate(endedAt, 'double session', `${this.#user.user} was put back in session ${earlier.session}.`);
      this.#reenter(earlier);
    }
    this.#waiting = reply.state === 'waiting';
    this.#hasPlace = this.#waiting && this.#open.size === 0;
    if (this.#hasPlace) this.#waitsSince ??= endedAt;
    if (!this.#mayBeMatched()) this.#wants = this.#waiting;
  }

  #asked(operation: Operation): void {
    const { op } = operation;
    if (op === 'search' || op === 'skip') this.#wants = true;
    if (op === 'search' || op === 'skip' || op === 'end') {
      this.#open.add(operation);
      this.#hasPlace = false;
    }
    if ((op === 'skip' || op === 'end') && this.#stay) {
      this.#stay.asks.push(operation);
      this.#perhapsLeft = this.#stay;
    }
  }

  #matched(at: number, session: string): void {
    const before = this.#stay;
    const earlier = this.#user.stays.find(stay => stay.session === session && stay.matched);
    if (earlier) {
      this.#violate(at, 'double session', `${this.#user.user} was matched twice in session ${session}.`);
      this.#reenter(earlier);
      return;
    }
    const leaving = [...this.#open].some(({ op }) => op !== 'search');
    if (before && !leaving && this.#perhapsLeft !== before) {
      const what = `was matched in session ${session} while in session ${before.session}`;
      this.#violate(at, 'double session', `${this.#user.user} ${what}.`);
    }
    if (!this.#wants && !this.#perhapsWants) {
      this.#violate(
        at,
        'uninvited',
        `${this.#user.user} was matched in session ${session} without looking for anybody.`,
      );
    }
    if (before) before.replacedAt = at;
    this.#waiting = false;
    this.#hasPlace = false;
    this.#perhapsWants = false;
    const asks = [...this.#open].filter(({ op }) => op !== 'search');
    this.#stay = { user: this.#user.user, session, from: at, matched: true, asks };
    this.#user.stays.push(this.#stay);
    this.#wants = this.#mayBeMatched();
  }

  /** A session that was over goes on. */
  #reenter(stay: Stay): void {
    delete stay.toldAt;
    delete stay.reason;
    delete stay.leftAt;
    delete stay.replacedAt;
    this.#stay = stay;
  }

  #over({ at, session, reason }: Extract<HistoryEvent, { kind: 'over' }>): void {
    const stay = this.#user.stays.findLast(each => each.session === session);
    const told = { toldAt: at, reason };
    if (!stay) this.#user.stays.push({ user: this.#user.user, session, from: at, matched: false, asks: [], ...told });
    else if (stay.toldAt === undefined) Object.assign(stay, told);
    if (stay === undefined || stay === this.#stay) {
      this.#waiting = false;
      this.#hasPlace = false;
      if (stay) this.#stay = undefined;
      this.#wants = this.#mayBeMatched() || (stay !== undefined && this.#perhapsLeft === stay);
    }
  }

  #shown({ at, from, session, n, late }: Extract<HistoryEvent, { kind: 'shown' }>): void {
    if (this.#stay?.session === session) return;
    this.#user.strays.push({ at, from, session, n, ...(late && { late }), now: this.#stay?.session });
  }

  #up({ at, node, state }: Extract<HistoryEvent, { kind: 'up' }>): void {
    this.#user.ups.push({ at, node });
    if (this.#downAt !== undefined) {
      this.#user.downs.push([this.#downAt, at]);
      if (this.#hasPlace && state === 'idle') this.#user.lostPlaces.push({ downAt: this.#downAt, at });
    }
    this.#hasPlace &&= state === 'waiting';
    this.#downAt = undefined;
  }

  #gone(at: number): void {
    if (this.#downAt !== undefined) this.#user.downs.push([this.#downAt, at]);
    this.#waitsUntil(at);
    this.#user.goneAt = at;
    this.#user.goneWaiting = this.#waiting;
    if (this.#stay) this.#stay.goneAt = at;
    this.#stay = undefined;
  }

  /** It does not wait for sure any more, if it did. */
  #waitsUntil(at: number): void {
    if (this.#waitsSince !== undefined) this.#user.waits.push([this.#waitsSince, at]);
    this.#waitsSince = undefined;
  }

  #mayBeMatched(): boolean {
    return [...this.#open].some(({ op }) => op !== 'end');
  }

  #violate(at: number, check: string, text: string): void {
    this.violations.push({ check, at, text, users: [this.#user.user] });
  }
}
