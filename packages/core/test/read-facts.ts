import type { Outbox, SessionFact } from '../src/index.ts';

/** All facts that wait in the outbox, oldest first. Rejects when one cannot be read. */
export async function readFacts(outbox: Outbox): Promise<SessionFact[]> {
  const entries = await outbox.read(100_000, 0);
  return entries.map(({ id, fact, problem }) => {
    if (!fact) throw new Error(`Entry ${id} of the outbox: ${problem}`);
    return fact;
  });
}
