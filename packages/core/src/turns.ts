/** Lets what is done about one user happen one after the other. Holds nothing for users about whom nothing is done. */
export class Turns {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Whether something is being done about the user. */
  has(userId: string): boolean {
    return this.#tails.has(userId);
  }

  /** Does something: at once, before this returns, when nothing else is being done about the user. */
  take<Result>(userId: string, act: () => Promise<Result>): Promise<Result> {
    const done = this.#tails.get(userId)?.then(act) ?? act();
    const tail = done
      .catch(() => undefined)
      .then(() => {
        if (this.#tails.get(userId) === tail) this.#tails.delete(userId);
      });
    this.#tails.set(userId, tail);
    return done;
  }
}
