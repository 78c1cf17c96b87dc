import type { Door } from './door.ts';

/** What a participant needs of a {@link Door}. */
export type Way = Pick<Door, 'url' | 'elsewhere' | 'node' | 'lose'>;

/**
 * A client as the load uses it, whatever library is below. It writes down all that it asks for and sees. No method waits
 * for its outcome or throws.
 */
export interface Participant {
  /** What the user seems to be doing, to choose what to do next. `away`: without a connection for now. */
  readonly state: 'gone' | 'connecting' | 'away' | 'idle' | 'waiting' | 'paired';
  /** Comes as a new user. To be called when `gone`. */
  connect(): void;
  search(): void;
  skip(): void;
  end(): void;
  /** Sends the next message of the session; does nothing without one. */
  send(): void;
  /** The connection is taken away from outside. */
  drop(): void;
  /** The page is loaded again: a client begins anew, with what it has stored. */
  reload(): void;
  /** The tab is copied, with all that it has stored, and the person goes on in the copy. The first one stays open. */
  copy(): void;
  /** Somebody else, who has got hold of the token that the user had before the present one, shows it. */
  betray(): void;
  /** Leaves for good. */
  leave(): void;
}
