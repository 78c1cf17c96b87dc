import type { Clock } from '../clock.ts';
import type { Lease } from '../lease/lease.ts';
import type { Clients } from './clients.ts';
import type { Doubts } from './doubts.ts';
import type { Meter } from './meter.ts';
import type { Roster } from './roster.ts';
import { type Circumstances, type Effect, transition } from './transition.ts';
import type { User } from './user.ts';
import type { UserChange } from './user-change.ts';

export interface ChangesOptions {
  clock: Clock;
  roster: Roster;
  doubts: Doubts;
  clients: Clients;
  lease: Lease;
  meter: Meter;
}

/** The one place where users change, and where what follows from it is carried out. */
export class Changes {
  readonly #options: ChangesOptions;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  /** Applies changes of users who are here. @returns who goes on looking for a partner */
  apply(changes: readonly UserChange[]): User[] {
    return changes.flatMap(change => {
      const user = this.#options.roster.get(change.userId);
      return user ? this.applyTo(user, change, 'notice') : [];
    });
  }

  /** Applies a change of a user, who may be gone by now. @returns the user, if they go on looking for a partner */
  applyTo(user: User, change: UserChange, how: Circumstances['how']): User[] {
    const { clock, lease } = this.#options;
    const { user: chat, effects } = transition(user.chat, change, {
      ...{ how, isLeaving: user.mailbox.isLeaving, resumes: user.token !== undefined },
      ...{ now: clock.now(), graceMs: lease.graceMs },
    });
    user.chat = chat;
    return effects.filter(effect => this.#carryOut(user, effect) === 'search on').map(() => user);
  }

  #carryOut(user: User, effect: Effect): Effect['kind'] | undefined {
    const { roster, doubts, clients, meter } = this.#options;
    if (effect.kind === 'count match') meter.matched(effect.waitedMs);
    // The connection may be a newer one's.
    else if (user.isGone) return undefined;
    else if (effect.kind === 'emit') clients.emit(user.userId, effect.event, effect.payload as never);
    else if (effect.kind === 'leave') {
      // The user lives elsewhere, or is away: the connection here is of no use any more.
      roster.remove(user);
      void doubts.moved(user);
      clients[effect.connection](user.userId);
    }
    return effect.kind;
  }
}
