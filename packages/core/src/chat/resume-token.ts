import { createHash } from 'node:crypto';
import { type Chance, systemChance } from '../chance.ts';

/** What a client shows to be the same user again: the user's id, and 256 random bits that only that client has. */
export interface ResumeToken {
  userId: string;
  text: string;
  /** All that is stored of it. */
  hash: string;
}

export function newResumeToken(userId: string, chance: Chance = systemChance): ResumeToken {
  return withSecret(userId, chance.secret(32));
}

/** @returns undefined when the text does not look like a token */
export function parseResumeToken(text: string): ResumeToken | undefined {
  const [, userId, secret] = /^([\w-]{1,64})\.([\w-]{43})$/.exec(text) ?? [];
  return userId && secret ? withSecret(userId, secret) : undefined;
}

function withSecret(userId: string, secret: string): ResumeToken {
  const hash = createHash('sha256').update(secret).digest('base64url').slice(0, 22);
  return { userId, text: `${userId}.${secret}`, hash };
}
