import type { ErrorCode } from '@passerby/protocol';

const limitsOff = 'Start the chat nodes with RATE_LIMITS=off for a load test';

/** What to do about an error that is no fault of the server's; by its code. */
const advice: { [Code in ErrorCode]?: string } & Record<string, string> = {
  TOO_MANY_CONNECTIONS: `The target takes no more connections from this address. ${limitsOff}, or raise LIMIT_ADDRESS_CONNECTIONS.`,
  TOO_MANY_MESSAGES: `The target takes no more messages from this address or a user. ${limitsOff}, or raise LIMIT_USER_MESSAGES and LIMIT_ADDRESS_MESSAGES.`,
  TOO_MANY_REQUESTS: `The target takes no more requests from this address or a user. ${limitsOff}, or raise LIMIT_USER_REQUESTS and LIMIT_ADDRESS_REQUESTS.`,
  INVALID_MESSAGE:
    'The target finds the messages too long. Give a smaller --message-size, or raise MAX_MESSAGE_CHARACTERS there.',
  EMFILE:
    'This machine allows the load tester no more open files. Raise the limit with ulimit -n, or give more --workers.',
  EADDRNOTAVAIL: 'This machine has no more local ports towards the target. Give it more addresses: several --target.',
};

/** A sentence that says what to do about errors with this code, if there is something to do. */
export function adviceFor(code: string): string | undefined {
  return advice[code];
}
