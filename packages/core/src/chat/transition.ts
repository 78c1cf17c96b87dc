import type { ServerEvents } from '@passerby/protocol';
import { type AbsentUserChange, isAbsent, type SessionSide, type UserChange, type UserState } from './user-change.ts';

/** What of a session's messages this node knows. The one part of a user's state that is counted on in place. */
export interface Tally {
  /** In both directions; null when it cannot be known, because the user came from another node. */
  messages: number | null;
  /** The highest number of a message of the user's, 0 at first. A resuming client numbers its own, for a plain one the node does. */
  sent: number;
  /** The highest number of a message to the user that was passed on. From a resuming to a plain client, all up to it were. */
  shown: number;
}

/** A node's side of a session. */
export interface LocalSession extends Omit<SessionSide, 'partnerNode'> {
  /** Undefined while the partner is away. */
  readonly partnerNode: string | undefined;
  readonly tally: Tally;
}

/** The node's copy of a user's entry in the pair registry. A session that is here has been told to the client. */
export interface ChatState {
  readonly revision: number;
  readonly state: UserState['state'];
  /** In state `paired` only. */
  readonly session: LocalSession | undefined;
  /** The partner of the last session that is known here, and its id. */
  readonly parted: string | undefined;
  readonly lastSessionId: string | undefined;
  /** Since when the user waits, by the clock of the transition; of one who came waiting, since that moment. */
  readonly waitingSince: number;
}

export const newcomer: ChatState = {
  ...{ revision: 0, state: 'idle', session: undefined, parted: undefined, lastSessionId: undefined, waitingSince: 0 },
};

/** How a change came to be known, and what else the node knows of the user. */
export interface Circumstances {
  /** `own`: in reply to a command of the user; `resume`: with the user's return; `notice`: somebody else's doing. */
  how: 'own' | 'resume' | 'notice';
  /** A command of the user's that ends a chat is under way. */
  isLeaving: boolean;
  /** The client can resume, and understands what is said to such clients only. */
  resumes: boolean;
  /** On the monotonic clock, in ms. */
  now: number;
  /** For how long a partner may be away, in ms. */
  graceMs: number;
}

type ClientEvent = { [Name in keyof ServerEvents]: { event: Name; payload: Parameters<ServerEvents[Name]>[0] } };

/** What follows from a change, to be carried out by the caller, in order. */
export type Effect =
  | ({ kind: 'emit' } & ClientEvent['matched' | 'partner_left' | 'partner_away' | 'partner_back'])
  /** A session of which the user is side `a` began. */
  | { kind: 'count match'; waitedMs: number }
  /** The client believes to look for a partner, and the registry does not. */
  | { kind: 'search on' }
  /** The user is not here any more: the connection is closed, or, if another one has taken its place, replaced. */
  | { kind: 'leave'; connection: 'close' | 'replace' };

export interface Transition {
  user: ChatState;
  effects: Effect[];
}

/**
 * What a change makes of a user, and what is to be done about it:
 *
 *            search                 matched
 *   idle ──────────────▶ waiting ──────────────▶ paired
 *    ▲ ▲                    │                     │ │
 *    │ └──────── end ───────┘                     │ └── skip ──▶ waiting or paired
 *    └────────── end, or the partner left ────────┘
 *
 * A change comes in the reply to a command, or in a notice that the store sent because of somebody else's command. The two
 * may overtake each other, so a change carries the revision of the entry, and only a newer one counts. The client hears the
 * end of a session exactly if it heard of its beginning and did not end it.
 */
export function transition(user: ChatState, change: UserChange, circumstances: Circumstances): Transition {
  if (change.revision <= user.revision) return { user, effects: [] };
  if (isAbsent(change)) return { user, effects: [{ kind: 'leave', connection: connectionOf(change) }] };
  const { how, isLeaving, now } = circumstances;
  const after = adopted(user, change, circumstances);
  // The client is told where it is in another way.
  if (how === 'resume') return { user: after, effects: [] };
  const [left, entered] = [user.session, after.session];
  const isSame = left?.sessionId === entered?.sessionId;
  const effects: Effect[] = [];
  if (left && !isSame && !endsItself(left, entered, change.ended, circumstances)) {
    const reason = change.ended?.sessionId === left.sessionId ? change.ended.reason : 'disconnect';
    effects.push({ kind: 'emit', event: 'partner_left', payload: { sessionId: left.sessionId, reason } });
  }
  // A session began and was over before anybody here knew of it: the client still looks for a partner.
  const isUntold = user.state === 'waiting' || (change.ended && change.ended.sessionId !== user.lastSessionId);
  if (!left && after.state === 'idle' && isUntold && how === 'notice' && !isLeaving)
    effects.push({ kind: 'search on' });
  if (entered && !isSame) {
    const { sessionId, startedAt, side } = entered;
    effects.push({ kind: 'emit', event: 'matched', payload: { sessionId, startedAt } });
    // The notice of the match may come before the reply that the user waits.
    const waitedMs = user.state === 'waiting' ? now - user.waitingSince : 0;
    if (side === 'a') effects.push({ kind: 'count match', waitedMs });
  }
  if (entered) effects.push(...partnerMoved(isSame ? left : undefined, entered, circumstances));
  return { user: after, effects };
}

/** Whether a command of the user's own ends the session: also when a notice is faster than the reply, nobody is told of that. */
function endsItself(
  left: LocalSession,
  entered: LocalSession | undefined,
  ended: { sessionId: string } | undefined,
  { how, isLeaving }: Circumstances,
): boolean {
  // Unless it is told first that somebody else did, or that the session is gone: the command may yet fail.
  const wentOn = entered !== undefined || (ended !== undefined && ended.sessionId !== left.sessionId);
  return isLeaving && (how === 'own' || wentOn);
}

function connectionOf({ state }: AbsentUserChange): 'close' | 'replace' {
  return state === 'gone' ? 'replace' : 'close';
}

function adopted(
  user: ChatState,
  change: Exclude<UserChange, AbsentUserChange>,
  { how, now }: Circumstances,
): ChatState {
  const { revision, state } = change;
  const { parted, lastSessionId } = user;
  const waitingSince = state === 'waiting' && user.state !== 'waiting' ? now : user.waitingSince;
  if (change.state !== 'paired') return { revision, state, session: undefined, parted, lastSessionId, waitingSince };
  const { partnerNode, ...side } = change.session;
  const isSame = user.session?.sessionId === side.sessionId;
  // How many messages there were is known only where all of them passed.
  const tally = isSame ? user.session?.tally : undefined;
  const session = {
    ...side,
    partnerNode,
    tally: tally ?? { messages: how === 'resume' ? null : 0, sent: 0, shown: 0 },
  };
  return { revision, state, session, parted: side.partnerId, lastSessionId: side.sessionId, waitingSince };
}

/** @param before the same session as it was, if the client knows it */
function partnerMoved(before: LocalSession | undefined, after: LocalSession, how: Circumstances): Effect[] {
  const { sessionId } = after;
  const isAway = after.partnerNode === undefined;
  const wasAway = before !== undefined && before.partnerNode === undefined;
  if (!how.resumes || isAway === wasAway) return [];
  if (!isAway) return [{ kind: 'emit', event: 'partner_back', payload: { sessionId } }];
  return [{ kind: 'emit', event: 'partner_away', payload: { sessionId, graceMs: how.graceMs } }];
}
