import { z } from 'zod';
import { cleanText } from './clean-text.ts';
import type { Handshake, Receipt, Typing } from './events.ts';
import { maxSeq } from './max-seq.ts';

const maxSessionIdLength = 64;

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

/** Whether the options of an event are acceptable: none, or an object. What it holds is not looked at. */
export function isOptions(input: unknown): boolean {
  if (input === undefined || input === null) return true;
  if (typeof input !== 'object') return false;
  const prototype = Object.getPrototypeOf(input);
  return prototype === Object.prototype || prototype === null;
}

/** What an event is meant for, as far as it says: a session, and there the number of a message. */
export interface Place {
  sessionId?: string;
  seq?: number;
}

const anyPlace: Place = Object.freeze({});

/**
 * What the input of an event is meant for; undefined when it says so in a way that cannot be understood, such as a number without
 * its session. By hand and not by a schema, like {@link textOf}.
 */
export function parsePlace(input: unknown): Place | undefined {
  if (typeof input !== 'object' || input === null) return anyPlace;
  const { sessionId, seq } = input as { sessionId?: unknown; seq?: unknown };
  if (sessionId === undefined && seq === undefined) return anyPlace;
  if (typeof sessionId !== 'string' || sessionId.length > maxSessionIdLength) return undefined;
  if (seq === undefined) return { sessionId };
  return Number.isInteger(seq) && Number(seq) >= 1 && Number(seq) <= maxSeq
    ? { sessionId, seq: Number(seq) }
    : undefined;
}

const receipt = z.object({
  sessionId: z.string().max(maxSessionIdLength),
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

const typing = z.object({ sessionId: z.string().max(maxSessionIdLength), typing: z.boolean() });

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
