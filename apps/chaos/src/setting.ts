import type { ChatSocket, SocketIoOptions, World } from '@passerby/client';
import type { Welcome } from '@passerby/protocol';
import { io } from 'socket.io-client';
import { peekingTransport } from './peeking-transport.ts';

/** Where people use their clients: reality, or a simulation that owns time, chance and the network. */
export interface Setting {
  world: World;
  /** In ms since some moment; never goes back. */
  now(): number;
  /** Aborts after that time. */
  abortAfter(ms: number): AbortSignal;
  /** For a connection that calls `welcomed` with its id and what the server says, before the client library knows. */
  peeking(welcomed: (socketId: string, welcome: Welcome) => void): SocketIoOptions;
}

export const reality: Setting = {
  world: {
    date: () => Date.now(),
    setTimeout: (task, ms) => setTimeout(task, ms),
    clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout | undefined),
    random: () => Math.random(),
    io: (url, options) => io(url, options) as ChatSocket,
  },
  now: () => performance.now(),
  abortAfter: ms => AbortSignal.timeout(ms),
  peeking: welcomed => ({ transports: [peekingTransport(welcomed)] }),
};
