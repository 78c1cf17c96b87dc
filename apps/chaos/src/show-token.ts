import { connect } from '@passerby/client';
import { peekingTransport } from './peeking-transport.ts';

/**
 * Shows a token as somebody would who has got hold of it.
 * @returns whether the server took them for its user, who is gone then: whoever comes so leaves at once; undefined if no
 * answer came within `withinMs`
 */
export function showToken(url: string, token: string, withinMs: number): Promise<boolean | undefined> {
  return new Promise(resolve => {
    const settle = (resumed?: boolean) => {
      clearTimeout(timer);
      resolve(resumed);
      chat.close();
    };
    const timer = setTimeout(settle, withinMs);
    // Not before the library knows of its connection, too: without one it could not say goodbye.
    const transport = peekingTransport((_socketId, { resumed }) => void setImmediate(() => settle(resumed)));
    const chat = connect(url, { takeOver: JSON.stringify({ token }), socketOptions: { transports: [transport] } });
  });
}
