import { type Chat, ChatError, type ChatEvents, type ChatStorage, connect, type OwnMessage } from '@passerby/client';
import type { Welcome } from '@passerby/protocol';
import type { Diary } from './diary.ts';
import type { Door } from './door.ts';
import type { Operation } from './history.ts';
import type { Participant } from './participant.ts';
import { peekingTransport } from './peeking-transport.ts';
import { answerWithinMs } from './plain-participant.ts';

/** What a page keeps in its `sessionStorage`. */
class Storage implements ChatStorage {
  readonly #items: Map<string, string>;

  constructor(items: Iterable<[string, string]> = []) {
    this.#items = new Map(items);
  }

  copy(): Storage {
    return new Storage(this.#items);
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#items.delete(key);
  }
}

/** A client that resumes: the client library. It connects again by itself, until it leaves. */
export class ResumingParticipant implements Participant {
  readonly #door: Door;
  readonly #diary: Diary;
  /** Messages that are not delivered yet, by their texts. */
  readonly #sends = new Map<string, Operation>();
  /** Commands that are not done yet. */
  readonly #commands = new Set<{ operation: Operation; askedAt: number }>();
  #chat: Chat | undefined;
  #storage = new Storage();
  /** The page was loaded again, and does not know yet where it is. */
  #reloaded = false;
  #connecting: Operation | undefined;
  /** The session that the present user is in, as far as it is in the history. */
  #session: string | undefined;
  #sent = 0;
  #known = false;
  #upAt = Number.POSITIVE_INFINITY;

  constructor(door: Door, diary: Diary) {
    this.#door = door;
    this.#diary = diary;
  }

  get state(): Participant['state'] {
    if (!this.#chat) return 'gone';
    const { connection, state } = this.#chat;
    if (connection === 'connecting') return 'connecting';
    return connection === 'connected' ? state : 'away';
  }

  connect(): void {
    const diary = this.#diary;
    diary.newUser();
    this.#known = false;
    this.#connecting = diary.ask('connect');
    this.#storage = new Storage();
    this.#reloaded = false;
    this.#open();
  }

  reload(): void {
    const chat = this.#chat;
    // Before the first welcome there is nothing to go on with.
    if (!chat || this.#connecting) return;
    // What the page that is left would still say goes nowhere.
    this.#door.lose();
    this.#storage = this.#storage.copy();
    this.#chat = undefined;
    chat.close();
    this.#giveUpCommands();
    this.#upAt = Number.POSITIVE_INFINITY;
    this.#diary.down('reload');
    this.#reloaded = true;
    this.#open();
  }

  #open(): void {
    const diary = this.#diary;
    const transport = peekingTransport((socketId, welcome) => {
      if (this.#chat === chat) this.#welcomed(socketId, welcome);
    });
    const chat = connect(this.#door.url, { storage: this.#storage, socketOptions: { transports: [transport] } });
    this.#chat = chat;
    const on = <Name extends keyof ChatEvents>(event: Name, listener: (...args: ChatEvents[Name]) => void) => {
      chat.on(event, (...args) => {
        if (this.#chat === chat) listener(...args);
      });
    };
    on('connection', (status, error) => {
      if (status === 'reconnecting') {
        this.#upAt = Number.POSITIVE_INFINITY;
        diary.down();
      } else if (status === 'connected') {
        if (this.#reloaded) this.#isStillIn(chat.session?.sessionId);
        this.#reloaded = false;
      } else if (status === 'closed') {
        diary.complain(`The chat of ${diary.user} was closed for good: ${error?.code}.`);
        this.#end('lost');
      }
    });
    on('matched', ({ sessionId }) => {
      if (this.#reloaded && this.#isStillIn(sessionId)) return;
      this.#session = sessionId;
      this.#sent = 0;
      diary.matched(sessionId);
    });
    on('message', ({ message }) => diary.shown(message));
    on('partnerAway', ({ sessionId }) => diary.away(sessionId));
    on('partnerBack', ({ sessionId }) => diary.back(sessionId));
    on('partnerLeft', ({ sessionId, reason }) => {
      // It may be the session of the user whom this one replaces, because it could not be resumed.
      if (this.#known) diary.over(sessionId, reason);
      this.#session = undefined;
    });
    on('ownMessage', message => this.#progress(message));
  }

  search(): void {
    this.#command('search', chat => chat.search({ signal: AbortSignal.timeout(answerWithinMs) }));
  }

  skip(): void {
    this.#command('skip', chat => chat.skip({ signal: AbortSignal.timeout(answerWithinMs) }));
  }

  end(): void {
    this.#command('end', chat => chat.endChat({ signal: AbortSignal.timeout(answerWithinMs) }));
  }

  send(): void {
    const session = this.#session;
    if (!this.#chat || session === undefined || this.#chat.session?.sessionId !== session) return;
    const n = this.#sent + 1;
    const operation = this.#diary.ask('send', { session, n });
    try {
      const text = this.#diary.text(session, n);
      this.#sends.set(text, operation);
      this.#chat.send(text);
      this.#sent = n;
    } catch (error) {
      this.#sends.delete(this.#diary.text(session, n));
      this.#diary.settle(operation, 'failed', error instanceof ChatError ? error.code : String(error));
    }
  }

  drop(): void {
    this.#door.lose();
  }

  leave(): void {
    this.#end('left');
  }

  /** A connection knows whose it is. The library does not yet know that it does. */
  #welcomed(socketId: string, { resumed, state }: Welcome): void {
    const diary = this.#diary;
    if (this.#known && !resumed) {
      diary.gone('lost');
      this.#forget();
      diary.newUser();
      // The library gives its commands once more, for whoever it is now.
      for (const command of this.#commands) {
        diary.settle(command.operation, 'unknown', 'CONNECTION');
        command.operation = diary.ask(command.operation.op);
      }
    }
    if (!resumed) diary.named(socketId);
    if (this.#connecting) diary.settle(this.#connecting, 'ok');
    this.#connecting = undefined;
    // What the library says about an earlier user comes right after this, in the same moment.
    const first = !this.#known || !resumed;
    this.#known = !first;
    queueMicrotask(() => {
      this.#known = true;
    });
    this.#upAt = performance.now();
    diary.up(this.#door.node, state);
  }

  #command(op: 'search' | 'skip' | 'end', give: (chat: Chat) => Promise<unknown>): void {
    const chat = this.#chat;
    if (!chat) return;
    const command = { operation: this.#diary.ask(op, { session: this.#session }), askedAt: performance.now() };
    this.#commands.add(command);
    give(chat).then(
      () => {
        if (!this.#commands.delete(command)) return;
        const sessionId = chat.session?.sessionId;
        const state = { state: chat.state, ...(sessionId !== undefined && { sessionId }) };
        this.#diary.answered(command.operation, { ok: true, ...state });
      },
      (error: unknown) => {
        if (!this.#commands.delete(command)) return;
        const { operation, askedAt } = command;
        if (error instanceof ChatError && error.code !== 'CLOSED') this.#diary.settle(operation, 'failed', error.code);
        else this.#diary.settle(operation, 'unknown', this.#upAt < askedAt ? 'TIMEOUT' : 'CONNECTION');
      },
    );
  }

  /**
   * A page that was loaded again finds out where it is. If that is not where it was, the person sees that it is over.
   * @returns whether it is where it was
   */
  #isStillIn(session: string | undefined): boolean {
    const before = this.#session;
    if (before === session) return true;
    if (before !== undefined) {
      this.#diary.over(before, 'disconnect');
      this.#forget();
    }
    return false;
  }

  #giveUpCommands(): void {
    for (const { operation } of this.#commands) this.#diary.settle(operation, 'unknown', 'CONNECTION');
    this.#commands.clear();
  }

  #progress(message: OwnMessage): void {
    const operation = this.#sends.get(message.text);
    if (!operation?.session || operation.n === undefined) return;
    const open = operation.outcome === undefined;
    if (open && (message.status === 'sent' || message.status === 'delivered')) this.#diary.settle(operation, 'ok');
    if (message.status === 'delivered') this.#diary.delivered(operation.session, operation.n);
    if (open && message.status === 'failed') {
      this.#diary.settle(operation, message.maybeShown ? 'unknown' : 'failed', message.error?.code);
    }
    if (message.status === 'delivered' || message.status === 'failed') this.#sends.delete(message.text);
  }

  /** Nothing of this user will be heard of any more. */
  #forget(): void {
    for (const operation of this.#sends.values()) {
      if (operation.outcome === undefined) this.#diary.settle(operation, 'unknown', 'CONNECTION');
    }
    this.#sends.clear();
    this.#session = undefined;
  }

  #end(how: 'left' | 'lost'): void {
    const chat = this.#chat;
    if (!chat) return;
    this.#chat = undefined;
    if (this.#connecting) this.#diary.settle(this.#connecting, 'unknown', 'CONNECTION');
    this.#connecting = undefined;
    this.#diary.gone(how);
    this.#forget();
    this.#giveUpCommands();
    this.#upAt = Number.POSITIVE_INFINITY;
    chat.close();
  }
}
