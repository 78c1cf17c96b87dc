import { ChatError } from '@passerby/core';

/** Does not let more than a few things wait for the same user. Holds nothing for users for whom nothing is done. */
export class FewAtOnce {
  readonly #most: number;
  readonly #running = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Does something for a user. Rejects with `UNAVAILABLE`, and does nothing, while the most are done for that user. */
  async run<Result>(userId: string, act: () => Promise<Result>): Promise<Result> {
    const running = this.#running.get(userId) ?? 0;
    if (running >= this.#most) throw new ChatError('UNAVAILABLE');
    this.#running.set(userId, running + 1);
    try {
      return await act();
    } finally {
      const left = (this.#running.get(userId) ?? 0) - 1;
      if (left > 0) this.#running.set(userId, left);
      else this.#running.delete(userId);
    }
  }
}
