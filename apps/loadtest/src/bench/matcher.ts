/** Brings users together, at the level below connections. */
export interface Matcher {
  /** Looks for a partner. @returns the partner; undefined when there is none, and the user waits now */
  search(userId: string): Promise<string | undefined>;
  /** Ends the chat of a user who found a partner. */
  end(userId: string): Promise<void>;
  /** Resolves when all that has happened is in PostgreSQL. */
  recorded(): Promise<void>;
  close(): Promise<void>;
}
