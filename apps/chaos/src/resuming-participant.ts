import { type Chat, ChatError, type ChatEvents, connect, type OwnMessage } from '@passerby/client';
import type { Welcome } from '@passerby/protocol';
import type { Diary } from './diary.ts';
import type { Operation } from './history.ts';
import { PageStorage } from './page-storage.ts';
import type { Participant, Way } from './participant.ts';
import { answerWithinMs } from './plain-participant.ts';
import { reality, type Setting } from './setting.ts';
import { showToken } from './show-token.ts';

/** Until a node that has heard of a client has made the token before the client's present one worthless. */
const knownWithinMs = 1500;

/** A client that resumes: the client library. It connects again by itself, until it leaves. */
export class ResumingParticipant implements Participant {
  readonly #door: Way;
  readonly #setting: Setting;
  readonly #diary: Diary;
  /** Messages that are not delivered yet, by their texts. */
  readonly #sends = new Map<string, Operation>();
  /** Commands that are not done yet. */
  readonly #commands = new Set<{ operation: Operation; askedAt: number }>();
  #chat: Chat | undefined;
  /** The tab that was copied, as long as it is open. It is the user's until the copy, or the word of it, is there. */
  #original: Chat | undefined;
  /** The copy, until then. */
  #copy: Chat | undefined;
  #storage = new PageStorage();
  /** The token, and the one before it. */
  #tokens: [present: string, before?: string] | undefined;
  /** Whether the server has heard of the client since it gave it the present token. */
  #heard = false;
  /** Whether a stranger, who is about to show the token before the present one, was taken for the user. */
  #stranger: Promise<boolean | undefined> | undefined;
  /** The page was loaded again, and does not know yet where it is. */
  #reloaded = false;
  #connecting: Operation | undefined;
  /** The session that the present user is in, as far as it is in the history. */
  #session: string | undefined;
  #sent = 0;
  #known = false;
  #upAt = Number.POSITIVE_INFINITY;

  constructor(door: Way, diary: Diary, setting: Setting = reality) {
    this.#setting = setting;
    this.#door = door;
    this.#diary = diary;
  }

  get state(): Participant['state'] {
    if (!this.#chat) return 'gone';
    if (this.#copy) return 'connecting';
    const { connection, state } = this.#chat;
    if (connection === 'connecting') return 'connecting';
    return connection === 'connected' ? state : 'away';
  }

  connect(): void {
    const diary = this.#diary;
    diary.newUser();
    this.#known = false;
    this.#connecting = diary.ask('connect');
    this.#storage = new PageStorage();
    this.#reloaded = false;
    this.#chat = this.#open();
  }

  reload(): void {
    const chat = this.#chat;
    // Before the first welcome there is nothing to go on with.
    if (!chat || this.#connecting) return;
    // What the page that is left would still say goes nowhere.
    this.drop();
    this.#storage = this.#storage.copy();
    this.#chat = undefined;
    chat.close();
    this.#becomeAnotherPage();
    this.#chat = this.#open();
  }

  copy(): void {
    if (this.#chat?.connection !== 'connected' || this.#connecting || this.#original) return;
    this.#diary.copied();
    this.#original = this.#chat;
    this.#storage = this.#storage.copy();
    this.#copy = this.#open();
  }

  /** From now on the copy is the user's page. */
  #moveToCopy(): void {
    this.#chat = this.#copy;
    this.#copy = undefined;
    this.#becomeAnotherPage();
  }

  /** The tab that was copied does not try to come back: it would win against the copy. */
  #closeOriginal(how: 'replaced' | 'lost' | 'left'): void {
    const original = this.#original;
    if (!original) return;
    this.#original = undefined;
    this.#diary.closed(how);
    if (this.#copy) this.#moveToCopy();
    original.close();
  }

  #becomeAnotherPage(): void {
    this.#giveUpCommands();
    this.#upAt = Number.POSITIVE_INFINITY;
    this.#diary.down('reload');
    this.#reloaded = true;
  }

  #open(): Chat {
    const diary = this.#diary;
    const socketOptions = this.#setting.peeking((socketId, welcome) => {
      if (this.#copy === chat) this.#moveToCopy();
      if (this.#chat === chat) this.#welcomed(socketId, welcome);
    });
    const chat = connect(this.#door.url, { storage: this.#storage, socketOptions, world: this.#setting.world });
    const on = <Name extends keyof ChatEvents>(event: Name, listener: (...args: ChatEvents[Name]) => void) => {
      chat.on(event, (...args) => {
        if (this.#chat === chat) listener(...args);
      });
    };
    chat.on('connection', (status, error) => {
      if (this.#original === chat && status === 'closed') {
        this.#closeOriginal(error?.code === 'REPLACED' ? 'replaced' : 'lost');
      } else if (this.#original === chat && status === 'reconnecting') this.#closeOriginal('lost');
    });
    chat.on('message', ({ message }) => {
      const late = this.#original === chat;
      if (late || this.#chat === chat) diary.shown(message, late);
    });
    on('connection', (status, error) => {
      if (status === 'reconnecting') {
        this.#upAt = Number.POSITIVE_INFINITY;
        diary.down();
      } else if (status === 'connected') {
        if (this.#reloaded) this.#isStillIn(chat.session?.sessionId);
        this.#reloaded = false;
      } else if (status === 'closed') {
        const complaint = `The chat of ${diary.user} was closed for good: ${error?.code}.`;
        const isReplaced = this.#stranger !== undefined && error?.code === 'REPLACED';
        if (isReplaced) void this.#stranger?.then(resumed => resumed === false && diary.complain(complaint));
        else diary.complain(complaint);
        this.#end('lost');
      }
    });
    on('matched', ({ sessionId }) => {
      if (this.#reloaded && this.#isStillIn(sessionId)) return;
      this.#session = sessionId;
      this.#sent = 0;
      diary.matched(sessionId);
    });
    on('partnerAway', ({ sessionId }) => diary.away(sessionId));
    on('partnerBack', ({ sessionId }) => diary.back(sessionId));
    on('partnerLeft', ({ sessionId, reason }) => {
      // A copy is told of a session that had ended for the tab that was copied.
      if (this.#reloaded && sessionId !== this.#session) return;
      // It may be the session of the user whom this one replaces, because it could not be resumed.
      if (this.#known) diary.over(sessionId, reason);
      this.#session = undefined;
    });
    on('ownMessage', message => {
      // What a page that is closed gives up may be with its copy.
      if (chat.connection !== 'closed') this.#progress(message);
    });
    return chat;
  }

  search(): void {
    this.#command('search', chat => chat.search({ signal: this.#setting.abortAfter(answerWithinMs) }));
  }

  skip(): void {
    this.#command('skip', chat => chat.skip({ signal: this.#setting.abortAfter(answerWithinMs) }));
  }

  end(): void {
    this.#command('end', chat => chat.endChat({ signal: this.#setting.abortAfter(answerWithinMs) }));
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
    this.#closeOriginal('left');
  }

  betray(): void {
    const [, before] = this.#tokens ?? [];
    const url = this.#door.elsewhere;
    const isUsed = this.#heard && this.#setting.now() - this.#upAt > knownWithinMs;
    if (before === undefined || url === undefined || !isUsed || this.#stranger !== undefined) return;
    const { user } = this.#diary;
    const stranger = this.#diary.stranger();
    this.#stranger = showToken(this.#setting, { url, token: before, withinMs: answerWithinMs });
    void this.#stranger.then(resumed => {
      this.#stranger = undefined;
      if (resumed !== undefined) this.#diary.unmasked(stranger, resumed);
      // And has left for the user.
      if (resumed && this.#diary.user === user) this.#end('left');
    });
  }

  leave(): void {
    this.#end('left');
  }

  /** A connection knows whose it is. The library does not yet know that it does. */
  #welcomed(socketId: string, { token, resumed, state }: Welcome): void {
    const diary = this.#diary;
    this.#tokens = [token, ...(resumed && this.#tokens ? [this.#tokens[0]] : [])] as [string, string?];
    this.#heard = false;
    if (this.#known && !resumed) {
      this.#closeOriginal('left');
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
    this.#upAt = this.#setting.now();
    diary.up(this.#door.node, state);
  }

  #command(op: 'search' | 'skip' | 'end', give: (chat: Chat) => Promise<unknown>): void {
    const chat = this.#chat;
    if (!chat) return;
    const command = { operation: this.#diary.ask(op, { session: this.#session }), askedAt: this.#setting.now() };
    this.#commands.add(command);
    give(chat).then(
      () => {
        if (!this.#commands.delete(command)) return;
        // A skip may have been done without a question.
        if (op !== 'skip') this.#heard = true;
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
    if (open && (message.status === 'sent' || message.status === 'delivered')) {
      this.#heard = true;
      this.#diary.settle(operation, 'ok');
    }
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
    const copy = this.#copy;
    this.#chat = undefined;
    this.#copy = undefined;
    copy?.close();
    this.#closeOriginal('left');
    if (this.#connecting) this.#diary.settle(this.#connecting, 'unknown', 'CONNECTION');
    this.#connecting = undefined;
    this.#diary.gone(how);
    this.#forget();
    this.#giveUpCommands();
    this.#upAt = Number.POSITIVE_INFINITY;
    chat.close();
  }
}
