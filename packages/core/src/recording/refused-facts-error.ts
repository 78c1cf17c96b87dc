/** The session log refuses the data of at least one fact of a batch, and takes other data. It wrote nothing of the batch. */
export class RefusedFactsError extends Error {
  /** What the log says is wrong with the data, in a few words, for an operator. */
  readonly reason: string;

  constructor(reason: string, cause: unknown) {
    super(`The session log refuses the data of a batch of facts: ${reason}`, { cause });
    this.name = 'RefusedFactsError';
    this.reason = reason;
  }
}
