import { createServer, type Server as HttpServer, type IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Ack, ClientEvents, ErrorDetails, Lobby, ServerEvents, Welcome } from '@passerby/protocol';
import { Server, type Socket } from 'socket.io';

type Fate =
  /** The connection is lost before the server has read it. */
  | 'lost'
  /** The connection is lost after it was carried out, and before the answer. */
  | 'answer lost'
  /** A message or receipt is answered, but never arrives. */
  | 'vanishes'
  /** A search is answered before the match is told, and both at once. */
  | 'matched right after'
  /** A search finds a partner who leaves before the match is told. */
  | 'left at once'
  /** Not available; answered only after the next message of whomever. */
  | 'refused after a message'
  | ErrorDetails;

type Reply = Ack<Record<string, unknown>>;

interface User {
  name: string;
  /** The newest, and the one before, which is good until the newest is used. */
  tokens: string[];
  socket: Socket<ClientEvents, ServerEvents> | undefined;
  state: 'idle' | 'waiting' | 'paired';
  session: { sessionId: string; startedAt: number } | undefined;
  partner: User | undefined;
}

/** One node that speaks the protocol to resuming clients, without any infrastructure, and with the faults that a test asks for. */
export class FakeServer {
  /** Everyone who ever connected, in the order of their first connections. */
  readonly users: User[] = [];
  /** What came: `event user`. */
  readonly log: string[] = [];
  /** What happens to the next events of a name. */
  readonly fates: { [event: string]: Fate[] } = {};
  /** What happens to the next connections: refused before or after the handshake, or accepted without a welcome. */
  readonly connectionFates: ('refused' | 'unavailable' | 'silence' | 'welcome lost')[] = [];
  /** WebSockets neither open nor fail. */
  swallowsWebSockets = false;
  /** New connections are refused before anything is made for them, and are to come back after so many ms. */
  putsOffMs: number | undefined;
  /** Whether each new connection said, before anything was made for it, that it comes back. */
  readonly saidToComeBack: boolean[] = [];
  /** This user cannot come back at the moment. */
  heldOff: number | undefined;
  readonly #http: HttpServer;
  readonly #io: Server<ClientEvents, ServerEvents>;
  readonly #swallowed: Duplex[] = [];
  #afterMessage: (() => void) | undefined;
  #count = 0;

  private constructor() {
    this.#http = createServer();
    this.#io = new Server(this.#http, {
      allowRequest: ({ url, socket }, decide) => {
        if (this.swallowsWebSockets && url?.includes('transport=websocket')) this.#swallowed.push(socket);
        else decide(null, true);
      },
    });
    this.#io.engine.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
      const { searchParams } = new URL(request.url ?? '', 'http://localhost');
      if (searchParams.has('sid')) return next();
      this.saidToComeBack.push(searchParams.get('resume') === '1');
      if (this.putsOffMs === undefined) return next();
      if (!(response instanceof ServerResponse)) return request.destroy();
      const body = { code: 'BUSY', message: '', retryAfterMs: this.putsOffMs };
      response.writeHead(503, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    this.#io.use((socket, next) => {
      const held = this.users[this.heldOff ?? -1];
      if (!held?.tokens.includes(socket.handshake.auth.resume)) {
        if (this.connectionFates[0] !== 'refused') return next();
        this.connectionFates.shift();
      }
      const data: ErrorDetails = { code: 'TOO_MANY_CONNECTIONS', retryAfterMs: 50 };
      next(Object.assign(new Error('Too many connections from your address'), { data }));
    });
    this.#io.on('connection', socket => this.#connected(socket));
  }

  static async start(): Promise<FakeServer> {
    const server = new FakeServer();
    await new Promise<void>(resolve => server.#http.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#swallowed) socket.destroy();
    await this.#io.close();
  }

  user(index: number): User {
    const user = this.users[index];
    if (!user) throw new Error(`There is no user ${index}.`);
    return user;
  }

  /** The user's connection breaks, and the partner is told. */
  cut(index: number): void {
    const user = this.user(index);
    user.socket?.conn.close();
  }

  /** The server ends the connection for good. */
  kick(index: number): void {
    this.user(index).socket?.disconnect(true);
  }

  /** The grace time is over. */
  forget(index: number): void {
    const user = this.user(index);
    user.tokens = [];
    this.#part(user, 'timeout');
  }

  announce(message: string): void {
    this.#io.emit('announcement', { message, at: 1 });
  }

  /** Tells everyone what goes on in the pool. */
  tellLobby(lobby: Lobby): void {
    this.#io.emit('lobby', lobby);
  }

  /** How often an event came. */
  count(event: string): number {
    return this.log.filter(line => line.startsWith(`${event} `)).length;
  }

  #connected(socket: Socket<ClientEvents, ServerEvents>): void {
    const fate = this.connectionFates.shift();
    if (fate === 'unavailable') {
      socket.emit('error', 'Not available', { code: 'UNAVAILABLE', retryAfterMs: 50 });
      setImmediate(() => socket.conn.close());
      return;
    }
    if (fate === 'silence') {
      this.log.push('silence');
      return;
    }
    const { resume } = socket.handshake.auth;
    const known = this.users.find(user => user.tokens.includes(resume));
    const user = known ?? this.#newUser();
    user.tokens = [`token-${++this.#count}`, ...(known ? [resume] : [])];
    const before = user.socket;
    user.socket = socket;
    before?.emit('error', 'This chat goes on in another window', { code: 'REPLACED' });
    before?.disconnect();
    this.log.push(`connect ${user.name}`);
    if (fate === 'welcome lost') {
      socket.conn.close();
      return;
    }
    const { tokens, state, session, partner } = user;
    const welcome: Welcome = { token: tokens[0] ?? '', resumed: known !== undefined, graceMs: 30_000, state };
    if (session) welcome.session = { ...session, partnerAway: !partner?.socket };
    socket.emit('welcome', welcome);
    if (known && session && !before) partner?.socket?.emit('partner_back', { sessionId: session.sessionId });
    socket.onAny((event: string, ...args: unknown[]) => this.#take(user, socket, event, args));
    socket.on('disconnect', reason => this.#disconnected(user, socket, reason));
  }

  #newUser(): User {
    const user: User = {
      name: `${this.users.length}`,
      tokens: [],
      socket: undefined,
      state: 'idle',
      session: undefined,
      partner: undefined,
    };
    this.users.push(user);
    return user;
  }

  #disconnected(user: User, socket: unknown, reason: string): void {
    if (user.socket !== socket) return;
    user.socket = undefined;
    const left = reason === 'client namespace disconnect' || reason === 'server namespace disconnect';
    this.log.push(`${left ? 'leave' : 'away'} ${user.name}`);
    if (left) this.#part(user, 'disconnect');
    else if (user.session) {
      user.partner?.socket?.emit('partner_away', { sessionId: user.session.sessionId, graceMs: 30_000 });
    }
  }

  #take(user: User, socket: Socket, event: string, args: unknown[]): void {
    const last = args.at(-1);
    const answer = (reply: Reply): void => {
      if (typeof last === 'function') last(reply);
    };
    const fate = this.fates[event]?.shift();
    if (fate === 'lost') {
      socket.conn.close();
      return;
    }
    this.log.push(`${event} ${user.name}`);
    if (fate === 'refused after a message') {
      this.#afterMessage = () => answer({ ok: false, error: { code: 'UNAVAILABLE', message: '' } });
      return;
    }
    if (typeof fate === 'object') {
      answer({ ok: false, error: { ...fate, message: '' } });
      if (event === 'message') this.#afterMessage?.();
      return;
    }
    if (fate === 'matched right after') {
      answer({ ok: true, state: 'waiting' });
      this.#search(user);
      return;
    }
    if (fate === 'left at once') {
      this.#part(user, 'skip');
      socket.emit('partner_left', { sessionId: 'unheard', reason: 'end' });
      answer({ ok: true, state: 'idle' });
      return;
    }
    const reply = this.#carryOut(user, event, fate === 'vanishes' ? undefined : args[0]);
    if (fate === 'answer lost') socket.conn.close();
    else answer(reply);
  }

  #carryOut(user: User, event: string, input: unknown): Reply {
    const partner = user.partner?.socket;
    switch (event) {
      case 'search':
        if (user.session) return { ok: false, error: { code: 'ALREADY_IN_CHAT', message: '' } };
        this.#search(user);
        break;
      case 'skip':
        this.#part(user, 'skip');
        this.#search(user);
        break;
      case 'end_chat':
        this.#part(user, 'end');
        break;
      case 'message': {
        const { message, seq, sessionId } = (input ?? {}) as { message: string; seq: number; sessionId: string };
        if (!user.session) return { ok: false, error: { code: 'NOT_IN_CHAT', message: '' } };
        if (!partner) return { ok: false, error: { code: 'PARTNER_AWAY', message: '', retryAfterMs: 50 } };
        if (message?.startsWith('bad')) return { ok: false, error: { code: 'INVALID_MESSAGE', message: '' } };
        if (message) partner.emit('message', { id: `${++this.#count}`, message, at: 1, sessionId, seq });
        return { ok: true, id: `${this.#count}`, at: 1 };
      }
      case 'typing':
        if (input) partner?.emit('partner_typing', input as Parameters<ServerEvents['partner_typing']>[0]);
        return { ok: true };
      case 'received':
        if (input) partner?.emit('delivered', input as Parameters<ServerEvents['delivered']>[0]);
        return { ok: true };
    }
    const { state, session } = user;
    return { ok: true, state, ...(session && { sessionId: session.sessionId }) };
  }

  #search(user: User): void {
    const partner = this.users.find(each => each !== user && each.state === 'waiting');
    user.state = 'waiting';
    if (!partner) return;
    const session = { sessionId: `session-${++this.#count}`, startedAt: 1 };
    for (const [one, other] of [
      [user, partner],
      [partner, user],
    ] as const) {
      Object.assign(one, { state: 'paired', session, partner: other });
      one.socket?.emit('matched', session);
    }
  }

  #part(user: User, reason: 'skip' | 'end' | 'disconnect' | 'timeout'): void {
    const { session, partner } = user;
    for (const each of [user, partner]) {
      if (each) Object.assign(each, { state: 'idle', session: undefined, partner: undefined });
    }
    if (session) partner?.socket?.emit('partner_left', { sessionId: session.sessionId, reason });
  }
}
