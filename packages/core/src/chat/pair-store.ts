import type { EndReason } from '@passerby/protocol';
import type { UserChange, UserState } from './user-change.ts';

/**
 * Names one command of one user. A command is given again with the same number when its reply was lost; each new command
 * of a user has a greater one. A store answers a number that is not greater than the last with the user's present state,
 * and changes nothing.
 */
export interface UserCommand {
  userId: string;
  /** The node that acts for the user. If the user lives on another one now, the answer is `gone`, or `away`. */
  nodeId: string;
  requestId: number;
  /**
   * Is called when a reply was lost and the command is given again: until {@link PairStore.settleMs} later it may be carried
   * out once more, also if it succeeds. That changes nothing as long as the user is not forgotten.
   */
  repeated?(): void;
}

export interface SearchCommand extends UserCommand {
  /** The revision that the node knows, 0 for a new user. A store that should know the user and does not answers 0. */
  revision: number;
  /**
   * The id of the session that begins if a partner is found. Never used before; a store that gives the command again by itself
   * takes another one each time, as the first match may have been made, told and lost.
   */
  sessionId: string;
  /** Hash of the token that resumes the user, for one who may resume. Counts when the user is new. */
  token?: string;
  /** Ends this chat for `skip` before the search, if the user is still in it. A user in any other chat stays there. */
  skip?: { sessionId: string; messages: number | null };
  /** Does nothing for a user whose entry has another revision by now: for a search that the user did not ask for. */
  unlessChanged?: boolean;
}

export interface LeaveCommand extends UserCommand {
  reason: EndReason;
  /** How many messages the session had, as the caller knows it; null if it cannot know. */
  messages: number | null;
  /** Also forgets the user: their connection is gone. A later command for the same user id must not come. */
  forget: boolean;
}

export interface SuspendCommand extends UserCommand {
  /** For how long the user may resume. */
  graceMs: number;
}

export interface ResumeCommand {
  userId: string;
  /** The node that the user connected to. */
  nodeId: string;
  /** Hash of the token that the client showed. */
  token: string;
  /** Hash of the token that takes its place. */
  nextToken: string;
}

/** A user who lives on the node again. */
export interface Resumed {
  /** The number of the user's last command, wherever it was given. */
  requestId: number;
  changes: UserChange[];
}

/** What a node knows of one of its users. */
export type KnownUser = UserState & {
  userId: string;
  revision: number;
  requestId: number;
  token?: string;
  /** The partner of the last session, if known. */
  parted?: string;
};

export interface LeaseRenewal {
  /** Names the life of the store's data: another one means that the store has lost what it knew. */
  epoch: string;
  /** Nodes whose lease has lapsed; when there are many, any few of them each time. */
  lapsed: string[];
  /** How many users were away for longer than they may be: see {@link LeaseStore.expire}. */
  due: number;
  /** How many facts wait in the outbox. */
  waitingFacts: number;
}

/** What every part of the store says of itself. */
interface Settling {
  /** How long after its rejection an operation may still be carried out, in ms. */
  readonly settleMs: number;
}

/** How users meet and part. */
export interface MatchStore extends Settling {
  /**
   * Pairs the user with one of the longest-waiting few, drawn at random, or puts the user into the queue. The partner of
   * the last session is drawn only if nobody else waits. Users of lapsed nodes are never drawn. A waiting user keeps the
   * place in the queue. Rejects with {@link LeaseLost} when the lease of `nodeId` is lost.
   */
  search(command: SearchCommand): Promise<UserChange[]>;

  /** Takes the user out of the queue or ends the session that the user is in; the user is idle then. */
  leave(command: LeaveCommand): Promise<UserChange[]>;
}

/** How users come and go. */
export interface PresenceStore extends Settling {
  /** Makes a user whose connection is lost away: they stay in their chat, but not in the queue, and may be resumed. */
  suspend(command: SuspendCommand): Promise<UserChange[]>;

  /**
   * Moves a user to a node, from any other one or from being away, in the same chat or with the same place in the queue.
   * Of the tokens that a user ever had, the present one is good, and until {@link retireToken} the one before it: the client
   * may not have got the present one. May be repeated. What rejects is not carried out later: the client may have gone
   * elsewhere. Rejects with {@link LeaseLost} when the lease of `nodeId` is lost.
   * @returns undefined when there is no such user, or the token is none of theirs
   */
  resume(command: ResumeCommand): Promise<Resumed | undefined>;

  /**
   * Makes the token before the present one worthless, once the client is known to have the present one. Nothing happens to
   * a user who lives elsewhere or has another token by now. Idempotent.
   */
  retireToken(present: { userId: string; nodeId: string; token: string }): Promise<void>;
}

/** How a node and the store agree again after something was lost. */
export interface SyncStore extends Settling {
  /**
   * Makes the store and a node agree about users of the node. What the store has wins if it is newer; otherwise the store
   * has lost it, and takes over what the node knows, also that the user lives there: of two nodes that believe to have a
   * user, the one that knows the later revision gets the user, whichever asks first; the other one is told. Answers one change for each user, in the same order. May be repeated.
   * Rejects with {@link LeaseLost} when the lease of `nodeId` is lost.
   */
  sync(nodeId: string, users: readonly KnownUser[]): Promise<UserChange[]>;

  /**
   * Takes users from a node that does not have them: those who may resume are away for `graceMs`, unless that is 0; the
   * sessions of the others end for `disconnect`. A command of such a user that is still on its way does nothing any more. Idempotent.
   */
  disown(nodeId: string, userIds: readonly string[], graceMs: number): Promise<UserChange[]>;

  /**
   * Some of the users that the store has for a node, and where to go on, from '0' to '0'. Users who live there the whole
   * time are named at least once; others may be.
   */
  usersOf(nodeId: string, cursor: string): Promise<{ userIds: string[]; next: string }>;
}

/** How a node keeps its lease, and takes over what falls due. */
export interface LeaseStore {
  /**
   * Takes a lease for `leaseMs` from now by the store's clock, or prolongs it, also one that lapsed and that nobody has
   * touched. Rejects with {@link LeaseLost} once others have begun to take the node's users.
   * @param lease epoch: the one that the node knows; left out by a new node
   */
  renewLease(lease: { nodeId: string; leaseMs: number; epoch?: string }): Promise<LeaseRenewal>;

  /** Gives up a lease: it is lost now. Idempotent. */
  releaseLease(nodeId: string): Promise<void>;

  /**
   * Takes up to `limit` users from a lapsed node, whose lease is lost from then on: those who may resume are away for
   * `graceMs`, the sessions of the others end for `timeout`. When none is left, the node is forgotten. Does nothing to a
   * node whose lease is valid. Idempotent; several may reap the same node.
   * @returns how many of the node's users are left
   */
  reap(node: { nodeId: string; limit: number; graceMs: number }): Promise<number>;

  /**
   * Ends the sessions of up to `limit` users who were away for too long, and forgets them.
   * @returns how many are left; 0 also when none of them can be expired now
   */
  expire(limit: number): Promise<number>;
}

/**
 * The queue and the pair registry of one pool. Every method is one atomic operation.
 *
 * A command answers with the change of the acting user, and then those of the other users of the node that it touched. The changes
 * of the others, wherever they live, are sent to their nodes as {@link NodeMessage}s in the same step, at most once, before the
 * command's reply can be seen. Of a user who lives elsewhere a reply tells nothing: to a node that has missed the user's move
 * it would look as if it had missed nothing. In that step, too, `started` and `ended` facts enter the {@link Outbox}.
 *
 * Methods reject with a {@link ChatError} `UNAVAILABLE` when the store cannot be reached, refuses to write, or does not
 * answer in time. The operation may have been carried out all the same, or may yet be until {@link settleMs} have passed.
 */
export interface PairStore extends MatchStore, PresenceStore, SyncStore, LeaseStore {}
