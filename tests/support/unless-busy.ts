import { setTimeout as delay } from 'node:timers/promises';

const withinMs = 60_000;

/** A node answered a handshake with this status. */
export class HandshakeError extends Error {
  readonly status: number;

  constructor(status: number, cause?: unknown) {
    super(`The node answered the handshake with ${status}.`, { cause });
    this.status = status;
  }
}

/**
 * Opens a connection, and tries again while the node has too much to do: after an attack, or on a slow machine, it says so for a
 * while, and whoever is told that comes back.
 */
export async function unlessBusy<Connection>(open: () => Promise<Connection>): Promise<Connection> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof HandshakeError) || error.status !== 503 || performance.now() > giveUpAt) throw error;
      await delay(100);
    }
  }
}
