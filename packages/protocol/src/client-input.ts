import { z } from 'zod';
import { cleanText } from './clean-text.ts';
import type { Handshake, Receipt, Typing } from './events.ts';
import { maxSeq } from './max-seq.ts';

/** The cleaned text of a `message` event, or undefined when the event is not a message that may be passed on. */
export function parseMessage(input: unknown, maxCharacters: number): string | undefined {
  const text = textOf(input);
  return text === undefined ? undefined : cleanText(text, maxCharacters);
}

/** By hand and not by a schema: this is done for each message, and reads each property once. */
function textOf(input: unknown): string | undefined {
  if (typeof input === 'string') return input;
  if (typeof input !== 'object' || input === null) return undefined;
  const { message } = input as { message?: unknown };
  if (typeof message === 'string') return message;
  const { text } = input as { text?: unknown };
  return typeof text === 'string' ? text : undefined;
}

const searchOptions = z.record(z.string(), z.unknown()).nullish();

/** Whether the options of a `search` event are acceptable: none, or an object. No option exists yet. */
export function isSearchOptions(input: unknown): boolean {
  return searchOptions.safeParse(input).success;
}

const numbering = z.object({ seq: z.int().min(1).max(maxSeq), sessionId: z.string().max(64) });

/** What a resuming client's `message` says of its place, or undefined when it says nothing, or nothing sensible. */
export function parseNumbering(input: unknown): { seq: number; sessionId: string } | undefined {
  // Most have none, and an answer that says so with all reasons costs more than everything else about a message.
  if (typeof input !== 'object' || input === null || !('seq' in input)) return undefined;
  return numbering.safeParse(input).data;
}

const receipt = z.object({
  sessionId: z.string().max(64),
  upTo: z.int().min(0).max(maxSeq),
  resend: z.boolean().optional(),
  from: z.int().min(1).max(maxSeq).optional(),
});

/** A `received` event, or undefined when it is not one that may be passed on. */
export function parseReceipt(input: unknown): Receipt | undefined {
  const { data } = receipt.safeParse(input);
  if (!data) return undefined;
  const { sessionId, upTo, resend, from } = data;
  return { sessionId, upTo, ...(resend && { resend }), ...(from !== undefined && { from }) };
}

const typing = z.object({ sessionId: z.string().max(64), typing: z.boolean() });

/** A `typing` event, or undefined when it is not one that may be passed on. */
export function parseTyping(input: unknown): Typing | undefined {
  return typing.safeParse(input).data;
}

const handshake = z.object({ resume: z.union([z.literal(true), z.string().max(200)]) });

/** Whether a client asks for resume when it connects, and with which token. */
export function parseHandshake(auth: unknown): Handshake {
  const parsed = handshake.safeParse(auth);
  return parsed.success ? parsed.data : {};
}
