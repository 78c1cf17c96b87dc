/** PostgreSQL refused the data of at least one fact of a batch, and wrote none of it. To try again is of no use. */
export class RefusedFactsError extends Error {
  constructor(factCount: number, cause: unknown) {
    super(
      `PostgreSQL refuses the data of ${factCount === 1 ? 'a session fact' : `a batch of ${factCount} session facts`}`,
      {
        cause,
      },
    );
    this.name = 'RefusedFactsError';
  }
}
