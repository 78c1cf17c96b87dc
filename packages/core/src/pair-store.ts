import type { EndReason } from '@passerby/protocol';
import type { UserChange } from './user-change.ts';

/**
 * Names one command of one user. A command is given again with the same number when its reply was lost; each new command
 * of a user has a greater one. A store answers a number that is not greater than the last with the user's present state,
 * and changes nothing.
 */
export interface UserCommand {
  userId: string;
  /** The node that acts for the user. */
  nodeId: string;
  requestId: number;
}

export interface SearchCommand extends UserCommand {
  /** The id of the session that begins if a partner is found. Never used before. */
  sessionId: string;
  /** Ends this chat for `skip` before the search, if the user is still in it. A user in any other chat stays there. */
  skip?: { sessionId: string; messages: number };
}

export interface LeaveCommand extends UserCommand {
  reason: EndReason;
  /** How many messages the session had, as the caller knows it. */
  messages: number;
  /** Also forgets the user: their connection is gone. A later command for the same user id must not come. */
  forget: boolean;
}

/**
 * The queue and the pair registry of one pool. Every method is one atomic operation.
 *
 * A command answers with the changes of all users that it touched, the acting user's first. The changes of the others are
 * also sent to their nodes as {@link NodeMessage}s in the same step, at most once, before the command's reply can be seen.
 * In that step, too, `started` and `ended` facts enter the {@link Outbox}.
 *
 * Methods reject with a {@link ChatError} `UNAVAILABLE` when the store cannot be reached or its answer did not come. The
 * command may have been carried out all the same.
 */
export interface PairStore {
  /**
   * Pairs the user with one of the longest-waiting few, drawn at random, or puts the user into the queue. The partner of
   * the last session is drawn only if nobody else waits. Users of lapsed nodes are never drawn. A waiting user keeps the
   * place in the queue. Rejects with {@link LeaseLost} when `nodeId` holds no valid lease.
   */
  search(command: SearchCommand): Promise<UserChange[]>;

  /** Takes the user out of the queue or ends the session that the user is in; the user is idle then. */
  leave(command: LeaveCommand): Promise<UserChange[]>;

  /** Gives a new node its lease. Idempotent. */
  register(nodeId: string, leaseMs: number): Promise<void>;

  /**
   * Prolongs a lease to `leaseMs` from now by the store's clock, and names nodes whose lease has lapsed, a few at a time.
   * Rejects with {@link LeaseLost} when the lease had lapsed: a lapsed lease never comes back.
   */
  renewLease(nodeId: string, leaseMs: number): Promise<{ lapsed: string[] }>;

  /** Gives up a lease: it lapses now. Idempotent. */
  releaseLease(nodeId: string): Promise<void>;

  /**
   * Removes up to `limit` users of a lapsed node and ends their sessions for `timeout`. When none is left, the node is
   * forgotten. Does nothing to a node whose lease is valid. Idempotent; several may reap the same node.
   * @returns how many of the node's users are left
   */
  reap(nodeId: string, limit: number): Promise<number>;
}
