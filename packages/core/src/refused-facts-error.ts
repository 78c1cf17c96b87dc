/** The session log refused the data of at least one fact of a batch, and wrote none of it. To try again is of no use. */
export class RefusedFactsError extends Error {
  constructor(factCount: number, cause: unknown) {
    const facts = factCount === 1 ? 'a session fact' : `a batch of ${factCount} session facts`;
    super(`The session log refuses the data of ${facts}.`, { cause });
    this.name = 'RefusedFactsError';
  }
}
