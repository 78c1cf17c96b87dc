/**
 * What may be posted. `command`: something for the store, on behalf of the user; `delivery`: a message to the user; `arrival`: a
 * connection that resumes the user; `departure`: the end of a connection.
 */
export type Kind = 'command' | 'delivery' | 'arrival' | 'departure';

/** How many of a kind may be in a mailbox, the one under way included. There is one departure at most for each connection. */
const most: Readonly<Record<Kind, number>> = {
  ...{ command: 50, delivery: 50, arrival: 3, departure: Number.POSITIVE_INFINITY },
};

/** A command that ends a chat. Until it fails, nothing can be said there any more. */
export interface Leaving {
  /** `any`: also one that begins meanwhile. The next session that a skip finds is not ended by it. */
  ends: { sessionId: string } | 'any' | undefined;
}

/**
 * What waits for one user, in order: each is begun when the one before it is done, and at once, before {@link post} returns,
 * when nothing is under way.
 */
export class Mailbox {
  readonly #counts: Record<Kind, number> = { command: 0, delivery: 0, arrival: 0, departure: 0 };
  readonly #leaving = new Set<Leaving>();
  /** How much is in it, what is under way included. */
  #length = 0;
  /** Settles when the last that was posted is done. */
  #tail: Promise<unknown> | undefined;
  /** Resolves when the last of what the user sent to another node was passed on, or not. */
  #sent: Promise<unknown> | undefined;

  get isBusy(): boolean {
    return this.#length > 0;
  }

  has(kind: Kind): boolean {
    return this.#counts[kind] > 0;
  }

  /** Whether no more of this kind should be posted. */
  isFull(kind: Kind): boolean {
    return this.#counts[kind] >= most[kind];
  }

  /**
   * Does something in order. All but a delivery also waits for what the user sent before: last words must not come after the end.
   * @param leaving what it ends, from now on until it is done
   */
  post<Result>(kind: Kind, act: () => Result | Promise<Result>, leaving?: Leaving): Promise<Result> {
    const before = this.isBusy ? this.#tail : undefined;
    this.#counts[kind]++;
    this.#length++;
    if (leaving) this.#leaving.add(leaving);
    const done = this.#run(kind, act, leaving, before);
    this.#tail = done;
    return done;
  }

  async #run<Result>(
    kind: Kind,
    act: () => Result | Promise<Result>,
    leaving: Leaving | undefined,
    before: Promise<unknown> | undefined,
  ): Promise<Result> {
    const sent = kind === 'delivery' ? undefined : this.#sent;
    try {
      if (before !== undefined) await settled(before);
      if (sent !== undefined) await settled(sent);
      return await act();
    } finally {
      this.#counts[kind]--;
      this.#length--;
      if (leaving) this.#leaving.delete(leaving);
    }
  }

  /** Notes that something the user sent is on its way to another node. */
  sending(sent: Promise<unknown>): void {
    this.#sent = sent;
  }

  /** Whether a command that ends a chat waits, or is under way. */
  get isLeaving(): boolean {
    return this.#leaving.size > 0;
  }

  /** Whether such a command ends this session. */
  isEnding({ sessionId }: { sessionId: string }): boolean {
    for (const { ends } of this.#leaving) if (ends === 'any' || ends?.sessionId === sessionId) return true;
    return false;
  }
}

async function settled(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    // Whoever posted it is told.
  }
}
