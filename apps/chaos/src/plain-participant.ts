import type { Ack, ClientEvents, ServerEvents, StateReply } from '@passerby/protocol';
import type { Socket } from 'socket.io-client';
import type { Diary } from './diary.ts';
import type { Operation } from './history.ts';
import type { Participant, Way } from './participant.ts';
import { reality, type Setting } from './setting.ts';

type ChatSocket = Socket<ServerEvents, ClientEvents>;
/** The types of the library do not know that an optional acknowledgement gets an error, too, when there is a time limit. */
type Impatient = ReturnType<Socket['timeout']>;
type Answer<Reply extends object> = (error: Error | null, reply: Ack<Reply>) => void;

/** Every question must have been answered by then; a connection attempt, too. */
export const answerWithinMs = 10_000;

/** A client that knows nothing of resume: socket.io-client as it comes. Without its connection, its user is gone. */
export class PlainParticipant implements Participant {
  readonly #door: Way;
  readonly #setting: Setting;
  readonly #diary: Diary;
  #socket: ChatSocket | undefined;
  #state: Participant['state'] = 'gone';
  #session: string | undefined;
  #sent = 0;

  constructor(door: Way, diary: Diary, setting: Setting = reality) {
    this.#setting = setting;
    this.#door = door;
    this.#diary = diary;
  }

  get state(): Participant['state'] {
    return this.#state;
  }

  connect(): void {
    const diary = this.#diary;
    diary.newUser();
    const connecting = diary.ask('connect');
    const { world } = this.#setting;
    const socket: ChatSocket = world.io(this.#door.url, {
      ...{ transports: ['websocket'], forceNew: true, reconnection: false, timeout: answerWithinMs },
    });
    this.#socket = socket;
    this.#state = 'connecting';
    // The library's own limit ends with the WebSocket; joining the namespace has none.
    const timer = world.setTimeout(() => {
      diary.settle(connecting, 'unknown', 'TIMEOUT');
      this.#end('lost');
    }, answerWithinMs);
    socket.on('connect', () => {
      world.clearTimeout(timer);
      diary.settle(connecting, 'ok');
      diary.named(socket.id ?? '');
      diary.up(this.#door.node);
      this.#become('idle');
    });
    socket.on('connect_error', error => {
      world.clearTimeout(timer);
      diary.settle(connecting, 'failed', (error as Error & { data?: { code?: string } }).data?.code ?? 'CONNECTION');
      this.#end();
    });
    socket.on('disconnect', () => this.#end('lost'));
    socket.on('matched', ({ sessionId }) => {
      diary.matched(sessionId);
      this.#become('paired', sessionId);
    });
    socket.on('message', ({ message }) => diary.shown(message));
    socket.on('partner_left', ({ sessionId, reason }) => {
      diary.over(sessionId, reason);
      if (this.#session === sessionId || this.#state === 'waiting') this.#become('idle');
    });
    for (const event of ['welcome', 'partner_away', 'partner_back', 'delivered', 'missed'] as const) {
      socket.on(event, () => diary.complain(`A plain client, ${diary.user}, got ${event}.`));
    }
  }

  search(): void {
    this.#command('search', (socket, answer) => socket.emit('search', {}, answer));
  }

  skip(): void {
    this.#command('skip', (socket, answer) => socket.emit('skip', answer));
  }

  end(): void {
    this.#command('end', (socket, answer) => socket.emit('end_chat', answer));
  }

  send(): void {
    const session = this.#session;
    if (!this.#socket?.connected || session === undefined) return;
    this.#sent += 1;
    const operation = this.#diary.ask('send', { session, n: this.#sent });
    const text = this.#diary.text(session, this.#sent);
    const socket = this.#socket;
    const answer = this.#answer(socket, operation);
    (socket as unknown as Socket).timeout(answerWithinMs).emit('message', { message: text }, answer);
  }

  drop(): void {
    this.#door.lose();
  }

  /** Nothing is stored. */
  reload(): void {
    this.leave();
  }

  /** Without a token, the copy is just somebody else. */
  copy(): void {}

  betray(): void {}

  leave(): void {
    this.#end('left');
  }

  #command(op: 'search' | 'skip' | 'end', emit: (socket: Impatient, answer: Answer<StateReply>) => void): void {
    const socket = this.#socket;
    if (!socket?.connected) return;
    const operation = this.#diary.ask(op, { session: this.#session });
    const answer = this.#answer<StateReply>(socket, operation);
    emit((socket as unknown as Socket).timeout(answerWithinMs), (error, reply) => {
      answer(error, reply);
      if (!error && reply.ok && socket === this.#socket && reply.state !== 'paired') this.#become(reply.state);
    });
  }

  /** A callback and not a promise: what arrives in one piece with the answer must not come before it in the history. */
  #answer<Reply extends object>(socket: ChatSocket, operation: Operation): Answer<Reply> {
    return (error, reply) => {
      if (error) this.#diary.settle(operation, 'unknown', socket.connected ? 'TIMEOUT' : 'CONNECTION');
      else this.#diary.answered(operation, reply);
    };
  }

  #become(state: Participant['state'], session?: string): void {
    if (session !== this.#session) this.#sent = 0;
    this.#state = state;
    this.#session = session;
  }

  #end(how?: 'left' | 'lost'): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    if (how) this.#diary.gone(how);
    this.#become('gone');
    socket.off();
    socket.disconnect();
  }
}
