import type { ClientEvents, ServerEvents } from '@passerby/protocol';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';

export type SocketIoOptions = Partial<ManagerOptions & SocketOptions>;
export type ChatSocket = Socket<ServerEvents, ClientEvents>;

/** Time, chance and the network, as the client knows them. A simulation has its own. */
export interface World {
  /** In ms since the epoch. */
  date(): number;
  /** Runs a task once after `ms`. @returns what {@link clearTimeout} takes */
  setTimeout(task: () => void, ms: number): unknown;
  /** Takes a task back. Nothing happens when it has run, or when there is none. */
  clearTimeout(timer: unknown): void;
  /** A number from 0 to less than 1. */
  random(): number;
  /** What `io` of socket.io-client is. */
  io(url: string, options: SocketIoOptions): ChatSocket;
}

/** The world that the client runs in. */
export const realWorld: World = {
  date: () => Date.now(),
  setTimeout: (task, ms) => setTimeout(task, ms),
  clearTimeout: timer => clearTimeout(timer as ReturnType<typeof setTimeout> | undefined),
  random: () => Math.random(),
  io: (url, options) => io(url, options),
};
