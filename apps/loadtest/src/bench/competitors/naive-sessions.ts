import { randomUUID } from 'node:crypto';
import { PrismaClient } from '@passerby/database/prisma';
import { PrismaPg } from '@prisma/adapter-pg';

/** A row for each session, written at once: created when it begins, updated when it ends. */
export class NaiveSessions {
  readonly #prisma: PrismaClient;

  constructor(databaseUrl: string) {
    this.#prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: databaseUrl }) });
  }

  /** @returns the session's id */
  async begin(userA: string, userB: string): Promise<string> {
    const data = { id: randomUUID(), pool: 'naive', userA, userB, startedAt: new Date() };
    const { id } = await this.#prisma.chatSession.create({ data });
    return id;
  }

  async end(id: string): Promise<void> {
    const data = { endedAt: new Date(), endReason: 'end', messages: 12 };
    await this.#prisma.chatSession.update({ where: { id }, data });
  }

  async close(): Promise<void> {
    await this.#prisma.$disconnect();
  }
}
