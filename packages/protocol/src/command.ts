import { isOptions, type Place, parseMessage, parsePlace, parseReceipt, parseTyping } from './client-input.ts';
import type { ErrorCode } from './error-code.ts';
import type { Receipt, Typing } from './events.ts';

/** What a client asks for with an event, clean, and checked as far as that can be done without knowing who asks. */
export type Command =
  | { kind: 'search' }
  | { kind: 'skip' | 'end_chat'; sessionId: string | undefined }
  | { kind: 'message'; text: string; place: Place }
  | { kind: 'received'; receipt: Receipt }
  | { kind: 'typing'; typing: Typing }
  /** The answer is this error. */
  | { kind: 'refused'; code: ErrorCode };

const refused = (code: ErrorCode): Command => ({ kind: 'refused', code });

/** Makes a command of an event. Keeps nothing of the input but what is clean. Never throws. */
export function parseCommand(event: string, input: unknown, maxMessageCharacters: number): Command {
  switch (event) {
    case 'search':
      return isOptions(input) ? { kind: 'search' } : refused('INVALID_INPUT');
    case 'skip':
    case 'end_chat': {
      const place = isOptions(input) ? parsePlace(input) : undefined;
      return place ? { kind: event, sessionId: place.sessionId } : refused('INVALID_INPUT');
    }
    case 'message': {
      const [text, place] = [parseMessage(input, maxMessageCharacters), parsePlace(input)];
      if (text === undefined) return refused('INVALID_MESSAGE');
      return place ? { kind: 'message', text, place } : refused('INVALID_INPUT');
    }
    case 'received': {
      const receipt = parseReceipt(input);
      return receipt ? { kind: 'received', receipt } : refused('INVALID_INPUT');
    }
    case 'typing': {
      const typing = parseTyping(input);
      return typing ? { kind: 'typing', typing } : refused('INVALID_INPUT');
    }
    default:
      return refused('UNKNOWN_EVENT');
  }
}
