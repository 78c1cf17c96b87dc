import { type Chat, ChatError, type OwnMessage, type Session } from '@passerby/client';
import { Later } from './later.ts';
import { texts } from './texts.ts';
import { timeLeft, troubleOf, troubleSentence } from './trouble.ts';
import { type Command, type Entry, firstView, type Phase, type Trouble, type View } from './view.ts';

/** More lines than this are not kept on the screen. */
const mostEntries = 500;

/** An interruption that is over sooner is not worth telling: a node that is replaced moves its users in this time. */
const noticeableMs = 1000;

const escapeAgainMs = 2000;

/** Trouble that nothing solves by itself is shown this long. */
const troubleMs = 6000;

/** That a command failed is shown this long after it can be tried again: there is a button for the command anyway. */
const failureMs = 15_000;

export interface ChatScreenOptions {
  /** Makes a client; another one after the first was closed. */
  connect: (takeOver?: string) => Chat;
  /** Asks other tabs for the chat that this one was in. */
  askTwins: () => Promise<string | undefined>;
  /** Called with each change. */
  show: (view: View) => void;
  /** Says something to those who hear the page and do not see it. */
  announce: (text: string) => void;
}

/** Makes of the client's events what is to be shown, and of what the user does commands for the client. */
export class ChatScreen {
  readonly #options: ChatScreenOptions;
  #chat: Chat;
  #view = firstView;
  #draft: { sessionId: string | undefined; text: string } = { sessionId: undefined, text: '' };
  readonly #keys = new WeakMap<OwnMessage, number>();
  #lastKey = 0;
  /** The command that has no answer yet. */
  #pending: { command: Command } | undefined;
  /** How many commands are under way that leave the chat. */
  #leaving = 0;
  /** What came meanwhile: it is for the user only if the chat cannot be left. */
  #held: (() => void)[] = [];
  #reconnecting: Promise<void> | undefined;
  readonly #awayNotice = new Later();
  readonly #interruptedNotice = new Later();
  readonly #escape = new Later();
  readonly #troubleEnd = new Later();
  readonly #failureEnd = new Later();
  /** The search that a busy server has put off. */
  readonly #searchAgain = new Later();

  constructor(options: ChatScreenOptions, takeOver?: string) {
    this.#options = options;
    this.#chat = this.#connect(takeOver);
  }

  get view(): View {
    return this.#view;
  }

  /** Looks for a partner, from any state: leaves the present one. */
  next(): void {
    if (this.#view.closed || this.#view.phase === 'searching' || this.#view.phase === 'returning') return;
    this.#carryOut(this.#view.phase === 'chatting' ? 'skip' : 'search');
  }

  /** Leaves the chat, or stops looking for one. */
  stop(): void {
    this.#carryOut('endChat');
  }

  /** @returns whether the text was taken */
  send(text: string): boolean {
    try {
      const message = this.#chat.send(text);
      this.#add(this.#shown(message));
      this.#clearTrouble('text');
      return true;
    } catch (error) {
      this.#setTrouble(error, 'text');
      return false;
    }
  }

  /**
   * What the user has written in this chat and not sent. It is still there when the chat has ended, or could not be left; in
   * the next chat it is not.
   */
  get draft(): string {
    return this.#draft.sessionId === this.#view.sessionId ? this.#draft.text : '';
  }

  set draft(text: string) {
    this.#draft = { sessionId: this.#view.sessionId, text };
  }

  setTyping(typing: boolean): void {
    this.#chat.setTyping(typing);
  }

  /** The first time only says what the second one does. */
  escape(): void {
    const { phase, closed } = this.#view;
    if (closed || (phase !== 'chatting' && phase !== 'ended')) return;
    if (this.#view.escaping) {
      this.#escape.cancel();
      this.#set({ escaping: false });
      this.next();
      return;
    }
    this.#set({ escaping: true });
    this.#options.announce(texts.escapeAgain);
    this.#escape.in(escapeAgainMs, () => this.#set({ escaping: false }));
  }

  /** Does again what failed. */
  tryAgain(): void {
    const { failure } = this.#view;
    if (failure?.of === 'endChat') this.stop();
    else if (failure) this.next();
  }

  dismissAnnouncement(): void {
    this.#set({ announcement: undefined });
  }

  /** After the connection was closed for good: takes the chat back from where it is, or begins anew. */
  async reconnect(): Promise<void> {
    if (!this.#view.closed) return;
    // Two clients would drive one screen.
    this.#reconnecting ??= this.#takeBack().finally(() => {
      this.#reconnecting = undefined;
    });
    return this.#reconnecting;
  }

  /** Another tab goes on with the chat. */
  handOver(): string | undefined {
    return this.#chat.handOver();
  }

  async #takeBack(): Promise<void> {
    const takeOver = this.#view.closed === 'REPLACED' ? await this.#options.askTwins() : undefined;
    this.#chat = this.#connect(takeOver);
  }

  #connect(takeOver?: string): Chat {
    const chat = this.#options.connect(takeOver);
    this.#leaving = 0;
    this.#held = [];
    const { offline, lobby } = this.#view;
    this.#set({ ...firstView, offline, lobby, phase: chat.restoring ? 'returning' : 'home' });
    this.#listen(chat);
    return chat;
  }

  #listen(chat: Chat): void {
    chat.on('state', state => {
      if (this.#leaving > 0) return;
      if (state === 'waiting') this.#enter('searching');
      // A user who was away for too long has lost the place in the queue, but still wants a partner.
      else if (state === 'idle' && this.#view.phase === 'searching' && !this.#pending) this.#carryOut('search');
    });
    const inChat = (happen: () => void): void => {
      if (this.#leaving > 0) this.#held.push(happen);
      else happen();
    };
    chat.on('matched', session => inChat(() => this.#matched(session)));
    chat.on('message', ({ message }) => {
      inChat(() => {
        this.#add({ key: this.#newKey(), from: 'partner', text: message });
        this.#options.announce(texts.fromStranger(message));
      });
    });
    chat.on('ownMessage', message => {
      const key = this.#keys.get(message);
      if (key === undefined) this.#add(this.#shown(message));
      else this.#set({ entries: this.#view.entries.map(entry => (entry.key === key ? this.#shown(message) : entry)) });
      // That earlier ones are delivered says nothing of those that wait.
      const isTaken =
        message.status === 'sent' || !this.#view.entries.some(entry => 'status' in entry && entry.status === 'kept');
      if (isTaken) this.#clearTrouble('messages');
      if (message.status === 'failed' && message.error?.code === 'INVALID_MESSAGE')
        this.#setTrouble(message.error, 'text');
    });
    chat.on('partnerTyping', partnerTyping => inChat(() => this.#set({ partnerTyping })));
    chat.on('partnerAway', () => inChat(() => this.#setPartnerAway(true)));
    chat.on('partnerBack', () => inChat(() => this.#setPartnerAway(false)));
    chat.on('partnerLeft', ({ reason }) => {
      const { connection } = this.#view;
      inChat(() => this.#partnerLeft(reason, connection));
    });
    chat.on('lobby', lobby => this.#set({ lobby }));
    chat.on('announcement', ({ message }) => {
      this.#set({ announcement: message });
      this.#options.announce(`${texts.announcement} ${message}`);
    });
    chat.on('error', error => {
      if (chat.connection !== 'connected') this.#setTrouble(error, 'connection');
      // Who is leaving the chat need not know what becomes of its messages.
      else if (this.#view.phase === 'chatting') this.#setTrouble(error, 'messages');
    });
    chat.on('connection', (connection, error) => {
      this.#set({ connection });
      if (connection === 'connected') this.#connected();
      else if (connection === 'closed') this.#closed(error);
      else this.#interruptedNotice.in(noticeableMs, () => this.#interrupted());
    });
  }

  #matched({ sessionId, partnerAway }: Session): void {
    const restored = this.#view.phase === 'returning';
    this.#set({ entries: [], sessionId, partnerTyping: false });
    this.#enter('chatting');
    this.#tell(restored ? texts.chatRestored : texts.chatStarted);
    this.#setPartnerAway(partnerAway);
  }

  #connected(): void {
    this.#interruptedNotice.cancel();
    this.#clearTrouble('connection');
    if (this.#view.interrupted) this.#options.announce(texts.backOnline);
    this.#set({ interrupted: false });
    if (this.#view.phase === 'returning') this.#enter('home');
  }

  #interrupted(): void {
    this.#set({ interrupted: true });
    this.#options.announce(this.#view.phase === 'chatting' ? texts.reconnecting : texts.reconnectingIdle);
  }

  #closed(error?: ChatError): void {
    const notices = [
      this.#searchAgain,
      this.#awayNotice,
      this.#interruptedNotice,
      this.#escape,
      this.#troubleEnd,
      this.#failureEnd,
    ];
    for (const later of notices) later.cancel();
    const closed = error?.code === 'REPLACED' ? 'REPLACED' : 'CLOSED';
    this.#set({ ...firstView, connection: 'closed', closed, phase: 'home', lobby: this.#view.lobby });
    this.#options.announce(closed === 'REPLACED' ? texts.replacedTitle : texts.closedTitle);
  }

  /** @param connection as it was when the client said so */
  #partnerLeft(reason: string, connection: View['connection']): void {
    const { phase } = this.#view;
    // Who is looking for the next one already need not know what became of the last one.
    if (phase !== 'searching') {
      const ends: Record<string, string> = texts.ends;
      const why = connection === 'connected' ? (ends[reason] ?? texts.ends.disconnect) : texts.awayTooLong;
      this.#end(phase === 'returning' ? texts.endedMeanwhile : why);
    }
  }

  #end(why: string): void {
    this.#enter('ended');
    this.#tell(why);
  }

  #carryOut(command: Command): void {
    const before = this.#view.phase;
    const pending = { command };
    this.#searchAgain.cancel();
    this.#clearTrouble('putOff');
    this.#pending = pending;
    // Shown as done at once: without a connection it takes a while, and what cannot be done is told.
    if (command !== 'endChat') this.#enter('searching');
    else if (before === 'chatting') this.#end(texts.youLeft);
    else this.#enter('home');
    const saidKey = this.#lastKey;
    if (command === 'endChat') this.#leaving += 1;
    const chat = this.#chat;
    const sessionId = chat.session?.sessionId;
    chat[command]().then(
      () => {
        if (command === 'endChat' && chat === this.#chat) this.#endLeaving();
        if (this.#pending !== pending) return;
        this.#pending = undefined;
        // The partner left before the match was told: to the user, the search goes on.
        if (chat.state === 'idle' && this.#view.phase === 'searching') this.#carryOut('search');
      },
      error => {
        const isLast = this.#pending === pending;
        if (isLast) this.#pending = undefined;
        if (chat !== this.#chat || chat.connection === 'closed') return;
        if (command === 'endChat') {
          // As if nothing had been said yet.
          const isSaid = before === 'chatting';
          this.#set({
            ...(isLast && { phase: before }),
            ...(isSaid && { entries: this.#view.entries.filter(({ key }) => key !== saidKey) }),
          });
          for (const happen of this.#endLeaving()) happen();
        }
        // Who has gone on to something else sees what becomes of that.
        if (!isLast) return;
        if (command === 'search' && this.#isPutOff(error)) return;
        this.#enter(this.#phaseAfter(before));
        this.#setPartnerAway(chat.session?.partnerAway ?? false);
        const { state, session = { sessionId } } = chat;
        const isDone =
          command === 'endChat' ? state === 'idle' : state === 'waiting' || session.sessionId !== sessionId;
        if (!isDone) this.#fail(command, error);
      },
    );
  }

  /** Whoever looks for a partner waits anyway: a busy server says when to search again, and the search goes on by itself then. */
  #isPutOff(error: unknown): boolean {
    const { code, retryAfterMs } = error instanceof ChatError ? error : {};
    if (code !== 'BUSY' || retryAfterMs === undefined || this.#chat.state !== 'idle') return false;
    this.#setTrouble(error, 'putOff');
    this.#searchAgain.in(retryAfterMs, () => this.#carryOut('search'));
    return true;
  }

  /** @returns what came meanwhile */
  #endLeaving(): (() => void)[] {
    this.#leaving -= 1;
    return this.#held.splice(0);
  }

  /** Where the user is after a command failed. */
  #phaseAfter(before: Phase): Phase {
    if (this.#chat.state === 'paired') return 'chatting';
    if (this.#chat.state === 'waiting') return 'searching';
    return before === 'searching' || this.#view.entries.length === 0 ? 'home' : 'ended';
  }

  #enter(phase: Phase): void {
    if (phase === this.#view.phase) return;
    if (phase !== 'chatting') this.#setPartnerAway(false);
    const { trouble } = this.#view;
    this.#set({
      ...{ phase, partnerTyping: false, failure: undefined },
      // What was the matter with the messages was so where the user came from.
      ...(trouble?.of !== 'connection' && { trouble: undefined }),
      ...(phase === 'searching' && { escaping: false }),
    });
    if (phase === 'searching') this.#options.announce(texts.searching);
  }

  #setPartnerAway(away: boolean): void {
    if (away) {
      this.#awayNotice.in(noticeableMs, () => {
        this.#set({ partnerAway: true, partnerTyping: false });
        this.#options.announce(texts.partnerAway);
      });
      return;
    }
    this.#awayNotice.cancel();
    if (!this.#view.partnerAway) return;
    this.#set({ partnerAway: false });
    if (this.#chat.state === 'paired') this.#options.announce(texts.partnerBack);
  }

  #setTrouble(error: unknown, of: 'messages' | 'connection' | 'text' | 'putOff'): void {
    const trouble = troubleOf(error, of);
    const isNews = this.#view.trouble?.code !== trouble.code;
    this.#set({ trouble });
    if (isNews) this.#options.announce(troubleSentence(trouble));
    if (of === 'text') this.#troubleEnd.in(troubleMs, () => this.#clearTrouble('text'));
    else this.#troubleEnd.cancel();
  }

  #clearTrouble(of: Trouble['of']): void {
    if (this.#view.trouble?.of === of) this.#set({ trouble: undefined });
  }

  #fail(command: Command, error: unknown): void {
    const failure = troubleOf(error, command);
    this.#set({ failure });
    this.#options.announce(troubleSentence(failure));
    this.#failureEnd.in(timeLeft(failure) + failureMs, () => this.#set({ failure: undefined }));
  }

  /** Adds a line of the page itself, and says it. */
  #tell(text: string): void {
    this.#add({ key: this.#newKey(), from: 'page', text });
    this.#options.announce(text);
  }

  #add(entry: Entry): void {
    this.#set({ entries: [...this.#view.entries, entry].slice(-mostEntries) });
  }

  #shown(message: OwnMessage): Entry {
    const key = this.#keys.get(message) ?? this.#newKey();
    this.#keys.set(message, key);
    const { text, status, maybeShown } = message;
    return { key, from: 'me', text, status, maybeShown };
  }

  #newKey(): number {
    this.#lastKey += 1;
    return this.#lastKey;
  }

  #set(change: Partial<View>): void {
    this.#view = { ...this.#view, ...change };
    this.#options.show(this.#view);
  }

  /** The browser says that there is a network, or none. */
  setOffline(offline: boolean): void {
    this.#set({ offline });
  }
}
