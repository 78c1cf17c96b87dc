import { connect } from '@passerby/client';
import type { Setting } from './setting.ts';

/**
 * Shows a token as somebody would who has got hold of it.
 * @returns whether the server took them for its user, who is gone then: whoever comes so leaves at once; undefined if no
 * answer came within `withinMs`
 */
export function showToken(
  { world, peeking }: Setting,
  shown: { url: string; token: string; withinMs: number },
): Promise<boolean | undefined> {
  const { url, token, withinMs } = shown;
  return new Promise(resolve => {
    const settle = (resumed?: boolean) => {
      world.clearTimeout(timer);
      resolve(resumed);
      chat.close();
    };
    const timer = world.setTimeout(settle, withinMs);
    // Not before the library knows of its connection, too: without one it could not say goodbye.
    const socketOptions = peeking((_socketId, { resumed }) => void world.setTimeout(() => settle(resumed), 0));
    const chat = connect(url, { takeOver: JSON.stringify({ token }), socketOptions, world });
  });
}
