import { z } from 'zod';
import { cleanText } from './clean-text.ts';

const messageInput = z.union([
  z.string(),
  z.object({ message: z.string() }).transform(input => input.message),
  z.object({ text: z.string() }).transform(input => input.text),
]);

/** The cleaned text of a `message` event, or undefined when the event is not a message that may be passed on. */
export function parseMessage(input: unknown, maxCharacters: number): string | undefined {
  const parsed = messageInput.safeParse(input);
  return parsed.success ? cleanText(parsed.data, maxCharacters) : undefined;
}

const searchOptions = z.record(z.string(), z.unknown()).nullish();

/** Whether the options of a `search` event are acceptable: none, or an object. No option exists yet. */
export function isSearchOptions(input: unknown): boolean {
  return searchOptions.safeParse(input).success;
}
