/** Lets what is done about one user happen one after the other. Holds nothing for users about whom nothing is done. */
export class Turns {
  readonly #queues = new Map<string, { tail: Promise<unknown>; length: number }>();

  /** How many things are being done about the user, or wait for that. */
  length(userId: string): number {
    return this.#queues.get(userId)?.length ?? 0;
  }

  /** Does something: at once, before this returns, when nothing else is being done about the user. */
  take<Result>(userId: string, act: () => Promise<Result>): Promise<Result> {
    const queue = this.#queues.get(userId) ?? { tail: undefined, length: 0 };
    const done = queue.tail?.then(act) ?? act();
    const leave = () => {
      queue.length--;
      if (queue.length === 0) this.#queues.delete(userId);
    };
    const tail = done.then(leave, leave);
    this.#queues.set(userId, Object.assign(queue, { tail, length: queue.length + 1 }));
    return done;
  }
}
