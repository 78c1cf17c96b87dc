import { randomBytes, randomUUID } from 'node:crypto';
import { v7 } from 'uuid';

/** What the core draws at random. A simulation draws the same again. */
export interface Chance {
  /** Names a message: a random UUID. */
  messageId(): string;
  /** Names a session: a UUID whose order is that of time. */
  sessionId(): string;
  /** So many random bytes as base64url, which nobody can guess. */
  secret(bytes: number): string;
}

/** The chance of this machine. */
export const systemChance: Chance = {
  messageId: () => randomUUID(),
  sessionId: () => v7(),
  secret: bytes => randomBytes(bytes).toString('base64url'),
};
