import type { Chance } from '../chance.ts';
import type { Clock } from '../clock.ts';
import type { Lease } from '../lease/lease.ts';
import { LeaseLost } from '../lease/lease-lost.ts';
import type { Changes } from './changes.ts';
import { ChatError } from './chat-error.ts';
import type { Clients } from './clients.ts';
import type { Doubts } from './doubts.ts';
import type { Leaving } from './mailbox.ts';
import type { MatchStore, UserCommand } from './pair-store.ts';
import type { LocalSession } from './transition.ts';
import type { User } from './user.ts';
import { isAbsent, type UserChange } from './user-change.ts';

export interface MatchingOptions {
  clock: Clock;
  chance: Chance;
  store: MatchStore;
  clients: Clients;
  lease: Lease;
  doubts: Doubts;
  changes: Changes;
  /** See {@link ChatServiceOptions.turn}. */
  turn?: (what: 'search' | 'skip') => Promise<void>;
}

/**
 * How long a command may wait behind the user's earlier ones before it is refused, in ms: while the store does not answer, each
 * of them takes a second, and the last one of many would be answered much too late.
 */
const withinMs = 3000;

/** What users do in order to meet: to search, to skip, and to end a chat; and what the node does so on their behalf. */
export class Matching {
  readonly #options: MatchingOptions;

  constructor(options: MatchingOptions) {
    this.#options = options;
  }

  /** See {@link ChatService.search}. */
  async search(user: User): Promise<void> {
    const search = async () => {
      if (!user.session && user.state === 'idle') await this.#waitForTurn(user, 'search');
      if (user.session) throw new ChatError('ALREADY_IN_CHAT');
      await this.#search(user);
    };
    await user.run(search, { withinMs });
  }

  /** See {@link ChatService.skip}. */
  async skip(user: User, sessionId: string | undefined): Promise<void> {
    const leaving: Leaving = { ends: user.isIn(sessionId) ? user.session : undefined };
    const skip = async () => {
      await this.#waitForTurn(user, user.session ? 'skip' : 'search');
      if (!user.isIn(sessionId)) throw new ChatError('NOT_IN_CHAT');
      leaving.ends = user.session;
      await this.#search(user, { skip: user.session });
    };
    await user.run(skip, { withinMs, leaving });
  }

  /** See {@link ChatService.endChat}. */
  async endChat(user: User, sessionId: string | undefined): Promise<void> {
    if (!user.isIn(sessionId)) throw new ChatError('NOT_IN_CHAT');
    const end = async () => {
      if (!user.isIn(sessionId)) throw new ChatError('NOT_IN_CHAT');
      await this.#end(user, 'end');
    };
    await user.run(end, { withinMs, leaving: { ends: sessionId === undefined ? 'any' : user.session } });
  }

  /**
   * Looks for partners for users who did not ask again, unless a command of the user comes first, or somebody else's: a chat
   * may have begun meanwhile, and may even be over. Never rejects: if it fails, it is tried again.
   */
  async searchOn(users: readonly User[]): Promise<void> {
    await Promise.all(users.map(user => this.#searchOn(user)));
  }

  /**
   * Ends the chat or the waiting of a user who did not ask for it, and so is told of the end of a chat. Nothing is done to one
   * who does something else by then. Never rejects: it is compared again.
   */
  async endUnasked(user: User, reason: 'end' | 'timeout'): Promise<void> {
    const { session } = user;
    const end = async () => {
      if (user.session?.sessionId !== session?.sessionId) return;
      const ended = await this.#end(user, reason);
      if (!ended || user.isGone) return;
      this.#options.clients.emit(user.userId, 'partner_left', { sessionId: ended.sessionId, reason });
    };
    await user.run(end, { leaving: { ends: 'any' } }).catch(() => {
      if (!user.isGone) this.#options.doubts.suspect(user.userId);
    });
  }

  async #searchOn(user: User): Promise<void> {
    const { state, lastRequestId } = user;
    const search = async () => {
      if (user.state === state && user.lastRequestId === lastRequestId)
        await this.#search(user, { unlessChanged: true });
    };
    await user.run(search).catch(() => this.#options.doubts.doubt(user, 'search on'));
  }

  /** Within the user's own order, so that what the user asks for next comes after it. */
  async #waitForTurn(user: User, what: 'search' | 'skip'): Promise<void> {
    const { turn } = this.#options;
    if (!turn) return;
    await turn(what);
    if (user.isGone) throw new ChatError('UNAVAILABLE');
  }

  async #search(
    user: User,
    how: { skip?: LocalSession | undefined; unlessChanged?: true; isAgain?: true } = {},
  ): Promise<void> {
    const { skip, unlessChanged, isAgain } = how;
    const search = (command: UserCommand) =>
      this.#options.store.search({
        ...command,
        revision: user.chat.revision,
        sessionId: this.#options.chance.sessionId(),
        ...(user.token !== undefined && { token: user.token }),
        ...(skip && { skip: { sessionId: skip.sessionId, messages: skip.tally.messages } }),
        ...(unlessChanged && { unlessChanged }),
      });
    // What has changed meanwhile was somebody else's doing.
    const isOver = await this.#give(user, search, unlessChanged ? 'notice' : 'own');
    if (!isOver || user.isGone) return;
    // Whoever never heard of a match goes on looking. Once: a registry that has lost its newest data would say the same for ever.
    if (isAgain) this.#options.doubts.doubt(user, 'search on');
    else await this.#search(user, { ...(unlessChanged && { unlessChanged }), isAgain: true });
  }

  /** Ends the chat or the waiting. @returns the session that was ended */
  async #end(user: User, reason: 'end' | 'timeout'): Promise<LocalSession | undefined> {
    // A user who never searched has no entry to change.
    if (user.lastRequestId === 0) return undefined;
    let last: LocalSession | undefined;
    await this.#give(user, async command => {
      const { messages } = user;
      const changes = await this.#options.store.leave({ ...command, reason, messages, forget: false });
      // A match may have been told while the command was under way.
      last = user.session;
      return changes;
    });
    return user.session ? undefined : last;
  }

  /**
   * Gives the store a command of a user who is here, and applies the reply.
   * @returns whether the reply tells of a session that is over, and that the client never heard of
   */
  async #give(
    user: User,
    give: (command: UserCommand) => Promise<UserChange[]>,
    how: 'own' | 'notice' = 'own',
  ): Promise<boolean> {
    const { clock, store, lease, doubts, changes } = this.#options;
    const command = nextCommand(user, this.#options);
    const wasWaiting = user.state === 'waiting';
    try {
      const [own, ...others] = await give(command);
      // This process may have slept while the reply was on its way.
      lease.check();
      // The registry does not know the user, or not here any more: this node was reaped, or data was lost.
      if (own && isForgotten(user, own)) throw new LeaseLost(command.nodeId);
      doubts.trust(user, command.requestId);
      void this.searchOn([...(own ? changes.applyTo(user, own, how) : []), ...changes.apply(others)]);
      return own !== undefined && isOvertaken(user, own);
    } catch (error) {
      if (error instanceof LeaseLost) {
        lease.doubt();
        throw new ChatError('UNAVAILABLE', { cause: error });
      }
      user.unsettledUntil = clock.now() + store.settleMs;
      doubts.doubt(user, wasWaiting ? 'compare' : 'take back');
      throw error;
    }
  }
}

type CommandContext = Pick<MatchingOptions, 'clock' | 'lease' | 'store'>;

/** Names the next command of a user. Throws `UNAVAILABLE` when the node holds no lease. */
export function nextCommand(user: User, { clock, lease, store }: CommandContext): UserCommand {
  const { nodeId } = lease;
  if (!lease.actsAs(nodeId)) throw new ChatError('UNAVAILABLE');
  const repeated = () => {
    user.unsettledUntil = clock.now() + store.settleMs;
  };
  return { userId: user.userId, nodeId, requestId: ++user.lastRequestId, repeated };
}

/** Whether the registry answers as if what the node knows of the user had never been. */
function isForgotten({ chat }: User, own: UserChange): boolean {
  return isAbsent(own) ? own.revision <= chat.revision : own.revision === 0 && chat.revision > 0;
}

function isOvertaken({ chat }: User, own: UserChange): boolean {
  return own.state === 'paired' && chat.state === 'idle' && own.session.sessionId !== chat.lastSessionId;
}
