import {
  type Ack,
  cleanText,
  type EndReason,
  type Lobby,
  type PartnerLeft,
  type StateReply,
  type Welcome,
} from '@passerby/protocol';
import { ChatError } from './chat-error.ts';
import type { ChatEvents, ChatState, ConnectionStatus } from './chat-events.ts';
import { Connection } from './connection.ts';
import { Conversation, type Session } from './conversation.ts';
import { Emitter } from './emitter.ts';
import type { OwnMessage } from './own-message.ts';
import { type ChatStorage, loadChat, parseChat, type SavedChat, saveChat } from './saved-chat.ts';
import { realWorld, type SocketIoOptions, type World } from './world.ts';

export interface ChatOptions {
  /** Makes the chat go on when the page is loaded again: `sessionStorage`. Without it, it lives as long as this object. */
  storage?: ChatStorage;
  /** What {@link Chat.handOver} of another client returned: this one goes on with that chat, whatever is in `storage`. */
  takeOver?: string;
  /** What the servers' `MAX_MESSAGE_CHARACTERS` says; 500 by default. Longer messages are refused here. */
  maxMessageCharacters?: number;
  /** For socket.io-client, such as `transports`. Reconnecting and `auth` are not for it to decide. */
  socketOptions?: SocketIoOptions;
  /** Time, chance and the network, for a simulation that owns them. Left out: the real ones. */
  world?: World;
}

export interface CommandOptions {
  /** Gives up waiting. A command that is on its way to the server may be carried out all the same. */
  signal?: AbortSignal;
}

type Command = 'search' | 'skip' | 'end_chat';

/**
 * A user's chat: finds partners and talks with them, over connections that come and go.
 *
 *            search                  matched
 *   idle ──────────────▶ waiting ──────────────▶ paired
 *    ▲ ▲                    │                     │ │
 *    │ └────── endChat ─────┘                     │ └── skip ──▶ waiting or paired
 *    └──────── endChat, or partnerLeft ───────────┘
 */
export class Chat {
  readonly #options: ChatOptions;
  readonly #world: World;
  readonly #events = new Emitter<ChatEvents>();
  readonly #connection: Connection;
  #status: ConnectionStatus = 'connecting';
  #token: string | undefined;
  /** Where the chat was left when the page was loaded again, until the first welcome. */
  #restored: SavedChat['session'];
  #state: ChatState = 'idle';
  #lobby: Lobby | undefined;
  /** There while paired. */
  #conversation: Conversation | undefined;
  /** The session that a command of the user is about to end. */
  #leaving: string | undefined;
  /** The session that was over last. */
  #over: string | undefined;
  /** What waits for its answer. `end_chat` ends a session, too, that begins before the answer. */
  #underWay: Command | undefined;
  /** The last command, which the next one waits for. */
  #tail: Promise<unknown> = Promise.resolve();

  /** Connects. */
  constructor(url: string, options: ChatOptions = {}) {
    this.#options = options;
    this.#world = options.world ?? realWorld;
    const saved = parseChat(options.takeOver) ?? loadChat(options.storage);
    this.#token = saved?.token;
    this.#restored = saved?.session;
    this.#connection = new Connection(
      url,
      { ...options, world: this.#world },
      {
        token: () => this.#token,
        up: welcome => this.#welcomed(welcome),
        down: () => this.#interrupted(),
        closed: error => this.#closed(error),
        refused: error => this.#events.emit('error', error),
      },
    );
    this.#listen();
    this.#connection.open();
  }

  /** What the server last said. A command that is under way has not changed it yet. */
  get state(): ChatState {
    return this.#state;
  }

  /** The session that the user is in. */
  get session(): Session | undefined {
    return this.#conversation?.session;
  }

  /** Independent of {@link state}: who is `reconnecting` may still be `paired`, may write, and may give commands. */
  get connection(): ConnectionStatus {
    return this.#status;
  }

  /** A chat of before the page was loaded may go on. The first welcome, which comes before `connected`, decides. */
  get restoring(): boolean {
    return this.#status === 'connecting' && this.#token !== undefined;
  }

  /** What the server last said of the pool; undefined until it first did. */
  get lobby(): Lobby | undefined {
    return this.#lobby;
  }

  /**
   * Calls a listener at each event of this name. What it throws shows up as uncaught, and disturbs nothing else.
   * @returns a function that takes the listener off again
   */
  on<Name extends keyof ChatEvents>(event: Name, listener: (...args: ChatEvents[Name]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /**
   * Looks for a partner. Like all commands it waits while there is no connection, and if the connection is lost before the
   * answer, it looks whether it was carried out, and if not, is sent again.
   * @returns the state afterwards: `waiting`, `paired`, or `idle` if the partner has left by then, which `partnerLeft` tells
   * Rejects with a {@link ChatError}, such as `ALREADY_IN_CHAT` or `UNAVAILABLE`, or with the signal's reason.
   * `BUSY` says that the server has too much to do: nothing has been done, and the search will find its turn after `retryAfterMs`.
   */
  search(options?: CommandOptions): Promise<ChatState> {
    return this.#command('search', options);
  }

  /**
   * Leaves this session for another partner, in one step; without a session, searches. It never leaves another session than
   * the one of the moment of the call, so that a second call does nothing more.
   * @returns the state afterwards, like {@link search}
   */
  skip(options?: CommandOptions): Promise<ChatState> {
    return this.#command('skip', options);
  }

  /**
   * Leaves the session or the queue.
   * @returns the state afterwards: `idle`; rejects like {@link search}
   */
  endChat(options?: CommandOptions): Promise<ChatState> {
    return this.#command('end_chat', options);
  }

  /**
   * Writes to the partner, who need not be there at the moment: the message is kept, and sent until it is delivered or the
   * session ends. Throws a {@link ChatError}: `NOT_IN_CHAT`, `INVALID_MESSAGE`, `CLOSED` or, when 100 messages are kept,
   * `OUTGOING_FULL`.
   */
  send(text: string): OwnMessage {
    const cleaned = cleanText(text, this.#options.maxMessageCharacters ?? 500);
    if (this.#status === 'closed') throw new ChatError('CLOSED');
    if (!this.#conversation) throw new ChatError('NOT_IN_CHAT');
    if (cleaned === undefined) throw new ChatError('INVALID_MESSAGE');
    const message = this.#conversation.outgoing.add(cleaned);
    this.#conversation.typing.sent();
    return message;
  }

  /**
   * Tells the partner, at most once a second, whether the user is writing; {@link send} takes it back by itself. Nothing
   * happens without a session.
   */
  setTyping(typing: boolean): void {
    this.#conversation?.typing.set(typing);
  }

  /**
   * Leaves for good. The partner is told at once, or, if there is no connection at the moment, after the grace time.
   */
  close(): void {
    if (this.#status === 'closed') return;
    this.#connection.close(new ChatError('CLOSED'));
    this.#closed();
  }

  /**
   * Leaves the chat to another client, such as one in another window: closes with the error `REPLACED`, and tells the server
   * nothing. The partner notices at most that this user was away for a moment.
   * @returns what the other client needs as its option `takeOver`, to be kept secret; undefined without anything to go on with
   */
  handOver(): string | undefined {
    const saved = this.#saved;
    if (!saved) return undefined;
    const error = new ChatError('REPLACED');
    this.#connection.abandon(error);
    this.#closed(error);
    return JSON.stringify(saved);
  }

  #listen(): void {
    const connection = this.#connection;
    connection.on('matched', matched => {
      if (matched.sessionId !== this.session?.sessionId) this.#begin({ ...matched, partnerAway: false })?.start();
    });
    connection.on('message', message => {
      const conversation = this.#in(message.sessionId ?? this.session?.sessionId);
      conversation?.incoming.take(message.seq, () => {
        conversation.partnerTyping.set(false);
        this.#events.emit('message', message);
        this.#save();
      });
    });
    connection.on('delivered', receipt => this.#in(receipt.sessionId)?.takeReceipt(receipt));
    connection.on('missed', ({ sessionId }) => this.#in(sessionId)?.resume());
    connection.on('partner_away', away => {
      if (this.#in(away.sessionId)?.setPartnerAway(true)) this.#events.emit('partnerAway', away);
    });
    connection.on('partner_back', back => {
      if (this.#in(back.sessionId)?.setPartnerAway(false)) this.#events.emit('partnerBack', back);
    });
    connection.on('partner_typing', ({ sessionId, typing }) => this.#in(sessionId)?.partnerTyping.set(typing));
    connection.on('lobby', lobby => {
      this.#lobby = lobby;
      this.#events.emit('lobby', lobby);
    });
    connection.on('partner_left', left => {
      // A partner may leave so soon that the match was not even told: the user, who believes to wait, is idle then.
      const isSeeking = this.#state === 'waiting' || this.#underWay === 'search' || this.#underWay === 'skip';
      if (this.#in(left.sessionId) || (isSeeking && left.sessionId !== this.#over)) this.#partnerLeft(left);
    });
    connection.on('announcement', announcement => this.#events.emit('announcement', announcement));
  }

  /** The conversation, if it is that of this session. What comes late from another session is not for it. */
  #in(sessionId: string | undefined): Conversation | undefined {
    return this.session?.sessionId === sessionId ? this.#conversation : undefined;
  }

  #welcomed({ token, resumed, graceMs, state, session }: Welcome): void {
    const restored = this.#restored;
    this.#restored = undefined;
    this.#token = token;
    this.#status = 'connected';
    const reason = resumed ? 'disconnect' : 'timeout';
    if (this.session?.sessionId !== session?.sessionId) this.#lostSession(reason);
    if (restored && restored.sessionId !== session?.sessionId) {
      this.#events.emit('partnerLeft', { sessionId: restored.sessionId, reason });
    }
    if (session) this.#goOn(session, graceMs, restored);
    else this.#setState(state);
    this.#save();
    // Last, so that its listeners find everything as it is.
    if (this.#status === 'connected') this.#events.emit('connection', 'connected');
  }

  #goOn(session: Session, graceMs: number, restored: SavedChat['session']): void {
    const { sessionId, partnerAway } = session;
    const conversation = this.#in(sessionId);
    if (!conversation) {
      this.#begin(session, restored?.sessionId === sessionId ? restored : undefined)?.resume();
      return;
    }
    const news = conversation.setPartnerAway(partnerAway);
    conversation.resume();
    if (news && partnerAway) this.#events.emit('partnerAway', { sessionId, graceMs });
    else if (news) this.#events.emit('partnerBack', { sessionId });
  }

  /** @returns undefined if a listener has closed the chat, or ended the session, in the meantime */
  #begin(session: Session, restored?: SavedChat['session']): Conversation | undefined {
    this.#lostSession('disconnect');
    if (this.#status === 'closed') return undefined;
    const isBeingLeft = () => this.#leaving === session.sessionId;
    const conversation = new Conversation({
      world: this.#world,
      connection: this.#connection,
      session,
      restored,
      changed: () => this.#save(),
      progress: message => this.#events.emit('ownMessage', message),
      refused: error => this.#events.emit('error', error),
      partnerTyping: typing => this.#events.emit('partnerTyping', typing),
      notInChat: () => {
        if (this.#conversation === conversation && !isBeingLeft()) this.#lostSession('disconnect');
      },
      isBeingLeft,
    });
    this.#conversation = conversation;
    if (this.#underWay === 'end_chat') this.#leaving = session.sessionId;
    this.#save();
    this.#setState('paired');
    this.#events.emit('matched', session);
    for (const message of conversation.outgoing.kept) this.#events.emit('ownMessage', message);
    return this.#in(session.sessionId);
  }

  #interrupted(): void {
    this.#conversation?.interrupt();
    this.#setStatus('reconnecting');
  }

  #closed(error?: ChatError): void {
    this.#status = 'closed';
    this.#token = undefined;
    this.#leave();
    this.#save();
    this.#setState('idle');
    this.#events.emit('connection', 'closed', ...(error ? [error] : []));
  }

  #partnerLeft(left: PartnerLeft): void {
    this.#leave();
    this.#over = left.sessionId;
    this.#setState('idle');
    this.#events.emit('partnerLeft', left);
  }

  /** The server does not know of the session, if there is one. Not worth telling if the user was about to end it. */
  #lostSession(reason: EndReason): void {
    const sessionId = this.session?.sessionId;
    if (sessionId === undefined) return;
    if (this.#leaving === sessionId) this.#leave();
    else this.#partnerLeft({ sessionId, reason });
  }

  /** Ends the conversation, if there is one. */
  #leave(): void {
    const conversation = this.#conversation;
    if (!conversation) return;
    this.#conversation = undefined;
    this.#over = conversation.session.sessionId;
    this.#save();
    conversation.end(new ChatError('NOT_IN_CHAT'));
  }

  #command(command: Command, { signal }: CommandOptions = {}): Promise<ChatState> {
    const sessionId = this.session?.sessionId;
    const done = this.#tail.then(() => this.#carryOut(command, sessionId, signal));
    this.#tail = done.catch(() => undefined);
    return signal ? untilAborted(done, signal) : done;
  }

  /** @param sessionId the session in which the user gave the command */
  async #carryOut(command: Command, sessionId: string | undefined, signal?: AbortSignal): Promise<ChatState> {
    try {
      for (let repeated = false; ; repeated = true) {
        await this.#connection.ready();
        signal?.throwIfAborted();
        if (this.#isDone(command, sessionId, repeated)) return this.#state;
        if (command !== 'search') this.#leaving = this.session?.sessionId;
        this.#underWay = command;
        const reply = await this.#ask(command);
        if (reply?.ok) return this.#state;
        if (reply) throw new ChatError(reply.error.code, reply.error.retryAfterMs);
      }
    } finally {
      this.#leaving = undefined;
      this.#underWay = undefined;
    }
  }

  /** Undefined when the connection was lost before the answer. */
  #ask(command: Command): Promise<Ack<object> | undefined> {
    return new Promise(resolve => {
      this.#connection.request(command, null, reply => {
        // Not later: the events that come right after the answer must find the state that it tells.
        if (reply?.ok) this.#apply(reply as Ack<StateReply> & { ok: true });
        if (reply) {
          this.#leaving = undefined;
          this.#underWay = undefined;
        }
        resolve(reply);
      });
    });
  }

  /** Whether what a command is for is the case already. */
  #isDone(command: Command, sessionId: string | undefined, repeated: boolean): boolean {
    switch (command) {
      case 'search':
        return repeated && this.#state !== 'idle';
      case 'skip':
        return this.#state === 'waiting' || (this.#state === 'paired' && this.session?.sessionId !== sessionId);
      case 'end_chat':
        return repeated && this.#state === 'idle';
    }
  }

  /** The server's answer to a command tells the state in the moment of the answer. */
  #apply({ state, sessionId }: StateReply): void {
    if (state === 'paired' && sessionId) {
      // `matched` has come before. If not, this is as good.
      if (!this.#in(sessionId)) this.#begin({ sessionId, startedAt: this.#world.date(), partnerAway: false })?.start();
      return;
    }
    this.#leave();
    this.#setState(state);
  }

  #setState(state: ChatState): void {
    // A listener may have closed the chat in the middle of it all.
    if (this.#state === state || (this.#status === 'closed' && state !== 'idle')) return;
    this.#state = state;
    this.#events.emit('state', state);
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status;
    this.#events.emit('connection', status);
  }

  /** What a later client needs to go on. */
  get #saved(): SavedChat | undefined {
    const session = this.#conversation?.state ?? this.#restored;
    return this.#token ? { token: this.#token, ...(session && { session }) } : undefined;
  }

  #save(): void {
    if (this.#options.storage) saveChat(this.#options.storage, this.#saved);
  }
}

function untilAborted<Result>(done: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    done.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
