import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ChatService, Clients, PoolStatus } from '@passerby/core';
import type { Lobby } from '@passerby/protocol';

/** So many clients are told before others get their turn. */
const sliceOf = 100;

export interface LobbyNewsOptions {
  service: ChatService;
  clients: Clients;
}

/** Tells the clients of this node that can resume what goes on in the pool: after their welcome, and when it has changed. */
export class LobbyNews {
  readonly #options: LobbyNewsOptions;
  #lobby: Lobby | undefined;
  #telling = false;

  constructor(options: LobbyNewsOptions) {
    this.#options = options;
  }

  /** To be called once a user has been welcomed. @returns false if there is nothing to tell yet */
  greet(userId: string): boolean {
    if (this.#lobby) this.#options.clients.emit(userId, 'lobby', this.#lobby);
    return this.#lobby !== undefined;
  }

  /** Tells everyone, if there is news, and the last news have been told. */
  async update(pool: PoolStatus): Promise<void> {
    const lobby = lobbyOf(pool);
    const isNews = lobby.online !== this.#lobby?.online || lobby.waitMs !== this.#lobby?.waitMs;
    if (!isNews || this.#telling) return;
    this.#lobby = lobby;
    this.#telling = true;
    try {
      await this.#tellAll(lobby);
    } finally {
      this.#telling = false;
    }
  }

  async #tellAll(lobby: Lobby): Promise<void> {
    const { service, clients } = this.#options;
    const userIds = service.present.flatMap(user => (user.resumes ? [user.userId] : []));
    for (const [i, userId] of userIds.entries()) {
      if (i % sliceOf === sliceOf - 1) await nextTurn();
      clients.emit(userId, 'lobby', lobby);
    }
  }
}

/** Rounded, so that everybody need not be told at every turn what nobody would notice. */
export function lobbyOf({ nodes }: PoolStatus): Lobby {
  const living = nodes.flatMap(({ lapsed, last }) => (lapsed || !last ? [] : [last.status]));
  const online = living.reduce((sum, { users }) => sum + users.idle + users.waiting + users.paired, 0);
  const waitsMs = living.flatMap(status => status.waitsMs).sort((a, b) => a - b);
  const medianMs = waitsMs[Math.floor(waitsMs.length / 2)];
  // Who reads it is one, though perhaps not counted yet.
  return {
    online: roughly(Math.max(1, online)),
    waitMs: medianMs === undefined ? null : 1000 * roughlySeconds(medianMs / 1000),
  };
}

/** Two digits, from a hundred on. */
function roughly(count: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(count)) - 1);
  return Math.round(count / unit) * unit;
}

/** Whole seconds up to ten, then fives up to a minute, then quarters of a minute. */
function roughlySeconds(seconds: number): number {
  const unit = seconds < 10 ? 1 : seconds < 60 ? 5 : 15;
  return Math.ceil(seconds / unit) * unit;
}
