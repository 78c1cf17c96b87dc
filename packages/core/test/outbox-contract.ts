import type { Outbox, SessionFact } from '../src/index.ts';

/** An empty outbox, and a way into it. */
export interface OutboxBench {
  outbox: Outbox;
  add(fact: SessionFact): Promise<void>;
  close(): Promise<void>;
}

/** What every {@link Outbox} guarantees. */
export function describeOutbox(name: string, open: () => Promise<OutboxBench>): void {
  describe(`${name} as an outbox`, () => {
    const session = { sessionId: 's1', userA: 'ann', userB: 'bob', startedAt: 5 };
    const started: SessionFact = { kind: 'started', ...session };
    const skipped: SessionFact = { kind: 'ended', ...session, endedAt: 9, endReason: 'skip', messages: 3 };
    const timedOut: SessionFact = { ...skipped, endReason: 'timeout', messages: null };
    let bench: OutboxBench;

    beforeEach(async () => {
      bench = await open();
    });

    afterEach(() => bench.close());

    it('gives the oldest entries until they are removed', async () => {
      const facts = [started, skipped, timedOut];
      for (const fact of facts) await bench.add(fact);
      const entries = await bench.outbox.read(10, 0);
      expect(entries.map(({ fact }) => fact)).toEqual(facts);
      expect(await bench.outbox.read(2, 0)).toEqual(entries.slice(0, 2));
      expect(await bench.outbox.read(1, 0, entries[0]?.id)).toEqual(entries.slice(1, 2));
      expect(await bench.outbox.read(2, 0, entries[2]?.id)).toEqual([]);

      const ids = entries.map(({ id }) => id);
      await bench.outbox.remove(ids.slice(0, 1));
      expect(await bench.outbox.read(10, 0)).toEqual(entries.slice(1));
      await bench.outbox.remove(ids);
      await bench.outbox.remove([]);
      expect(await bench.outbox.read(10, 0)).toEqual([]);
    });

    it('tells how many entries wait, and for how long', async () => {
      expect(await bench.outbox.backlog()).toEqual({ length: 0, oldestAgeMs: 0, setAside: 0 });
      await bench.add(started);
      await bench.add(skipped);
      const [oldest, ...others] = await bench.outbox.read(10, 0);
      const askedAt = Date.now();
      const { length, oldestAgeMs } = await bench.outbox.backlog();
      expect(length).toBe(2);
      expect(oldestAgeMs).toBeGreaterThanOrEqual(0);
      // The clock of the store and this one are of one machine, and differ only by how they are rounded.
      expect((oldest?.at ?? 0) + oldestAgeMs).toBeGreaterThanOrEqual(askedAt - 2);
      expect((oldest?.at ?? 0) + oldestAgeMs).toBeLessThanOrEqual(Date.now() + 2);
      await bench.outbox.remove([oldest, ...others].flatMap(entry => entry?.id ?? []));
      expect(await bench.outbox.backlog()).toEqual({ length: 0, oldestAgeMs: 0, setAside: 0 });
    });

    it('sets an entry aside and puts it back, whole', async () => {
      for (const fact of [started, skipped, timedOut]) await bench.add(fact);
      const [first, second, third] = await bench.outbox.read(10, 0);
      await bench.outbox.setAside(second?.id ?? '', 'It is refused.');
      await bench.outbox.setAside(first?.id ?? '', 'It is refused.');
      await bench.outbox.setAside(first?.id ?? '', 'By another recorder, too.');
      expect(await bench.outbox.read(10, 0)).toEqual([third]);
      expect(await bench.outbox.backlog()).toMatchObject({ length: 1, setAside: 2 });

      expect(await bench.outbox.retry(1)).toBe(1);
      expect(await bench.outbox.backlog()).toMatchObject({ length: 2, setAside: 1 });
      expect(await bench.outbox.retry(10)).toBe(1);
      expect(await bench.outbox.retry(10)).toBe(0);
      const entries = await bench.outbox.read(10, 0);
      expect(entries.map(({ fact }) => fact)).toEqual([timedOut, skipped, started]);
      expect(await bench.outbox.backlog()).toMatchObject({ length: 3, setAside: 0 });
      // The same way a second time.
      for (const { id } of entries) await bench.outbox.setAside(id, 'It is refused.');
      expect(await bench.outbox.retry(10)).toBe(3);
      expect((await bench.outbox.read(10, 0)).map(({ fact }) => fact)).toEqual([timedOut, skipped, started]);
    });

    it('waits for a first entry, and for no longer than it is told', async () => {
      const begunAt = performance.now();
      expect(await bench.outbox.read(10, 200)).toEqual([]);
      expect(performance.now() - begunAt).toBeGreaterThan(190);
    });

    it('wakes when an entry comes', async () => {
      // Longer than a test may take.
      const read = bench.outbox.read(10, 60_000);
      await bench.add(started);
      expect(await read).toMatchObject([{ fact: started }]);
    });
  });
}
