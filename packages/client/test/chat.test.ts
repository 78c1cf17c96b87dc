import { Socket as Engine } from 'engine.io-client';
import type { Chat, ChatEvents, ChatOptions, ChatStorage } from '../src/index.ts';
import { connect } from '../src/index.ts';
import { FakeServer } from './fake-server.ts';

/** A chat that remembers what it told. */
class Witness {
  readonly chat: Chat;
  readonly told: [event: string, ...args: unknown[]][] = [];
  readonly #waiting = new Set<() => void>();

  constructor(chat: Chat) {
    this.chat = chat;
    const events: (keyof ChatEvents)[] = [
      'state',
      'matched',
      'message',
      'ownMessage',
      'partnerAway',
      'partnerBack',
      'partnerLeft',
      'partnerTyping',
      'lobby',
      'connection',
      'announcement',
      'error',
    ];
    for (const event of events) {
      chat.on(event, (...args: unknown[]) => {
        this.told.push([event, ...args]);
        for (const wake of this.#waiting) wake();
      });
    }
  }

  /** Resolves when what it was told makes this true. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await new Promise<void>(resolve => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  /** Resolves with the arguments of the next event of this name, which is taken out. */
  async next<Name extends keyof ChatEvents>(event: Name): Promise<ChatEvents[Name]> {
    const find = () => this.told.findIndex(([name]) => name === event);
    await this.until(() => find() >= 0);
    const [, ...args] = this.told.splice(find(), 1)[0] ?? [''];
    return args as ChatEvents[Name];
  }

  /** Resolves at the next time that it is connected. */
  async connected(): Promise<void> {
    while ((await this.next('connection'))[0] !== 'connected');
  }

  /** The texts that it was shown. */
  get shown(): string[] {
    return this.told.flatMap(([event, message]) =>
      event === 'message' ? [(message as ChatEvents['message'][0]).message] : [],
    );
  }

  all(event: keyof ChatEvents): unknown[][] {
    return this.told.filter(([name]) => name === event).map(([, ...args]) => args);
  }
}

let server: FakeServer;
let chats: Chat[] = [];

function open(options: ChatOptions = {}): Witness {
  const chat = connect(server.url, {
    ...options,
    socketOptions: { transports: ['websocket'], ...options.socketOptions },
  });
  chats.push(chat);
  return new Witness(chat);
}

async function pair(options: ChatOptions = {}): Promise<[Witness, Witness]> {
  const first = open(options);
  await first.connected();
  const second = open();
  await second.connected();
  await first.chat.search();
  await second.chat.search();
  await Promise.all([first.next('matched'), second.next('matched')]);
  first.told.length = 0;
  second.told.length = 0;
  return [first, second];
}

function memoryStorage(): ChatStorage & { items: Map<string, string> } {
  const items = new Map<string, string>();
  return {
    items,
    getItem: key => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: key => void items.delete(key),
  };
}

beforeEach(async () => {
  server = await FakeServer.start();
});

afterEach(async () => {
  for (const chat of chats) chat.close();
  chats = [];
  await server.stop();
});

describe('a chat', () => {
  it('begins, is talked in, and ends', async () => {
    const first = open();
    expect(first.chat.connection).toBe('connecting');
    // Given before there is a connection: it waits.
    expect(await first.chat.search()).toBe('waiting');
    const second = open();
    expect(await second.chat.search()).toBe('paired');
    const [session] = await first.next('matched');
    expect(first.chat.session).toEqual(session);
    expect(second.chat.session).toEqual(session);

    const message = first.chat.send('  hello ');
    await message.delivered;
    expect(second.shown).toEqual(['hello']);
    expect(first.all('ownMessage')).toHaveLength(2);

    expect(await second.chat.endChat()).toBe('idle');
    expect(await first.next('partnerLeft')).toEqual([{ sessionId: session.sessionId, reason: 'end' }]);
    expect(first.chat).toMatchObject({ state: 'idle', session: undefined });
    expect(second.all('partnerLeft')).toEqual([]);
  });

  it('refuses messages that cannot be sent', async () => {
    const first = open();
    expect(() => first.chat.send('hello')).toThrow(expect.objectContaining({ code: 'NOT_IN_CHAT' }));
    first.chat.close();
    expect(() => first.chat.send('hello')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    await expect(first.chat.search()).rejects.toMatchObject({ code: 'CLOSED' });
    const [, second] = await pair();
    expect(() => second.chat.send(' \n')).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }));
    expect(() => second.chat.send('x'.repeat(501))).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }));
  });

  it('goes on if the user wanted to leave, was matched meanwhile, and could not leave', async () => {
    const first = open();
    await first.chat.search();
    server.fates.end_chat = ['refused after a message'];
    const left = first.chat.endChat();
    while (server.count('end_chat') === 0) await new Promise(resolve => setImmediate(resolve));
    const second = open();
    await second.chat.search();
    await first.next('matched');
    server.fates.message = [{ code: 'NOT_IN_CHAT', retryAfterMs: 50 }];
    const message = first.chat.send('hello');
    await expect(left).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await message.delivered;
    expect(second.shown).toEqual(['hello']);
    expect(first.all('partnerLeft')).toEqual([]);
    expect(first.chat.state).toBe('paired');
  });

  it('gives the errors of the server to whoever asked', async () => {
    const [first, second] = await pair();
    await expect(first.chat.search()).rejects.toMatchObject({ name: 'ChatError', code: 'ALREADY_IN_CHAT' });
    server.fates.skip = [{ code: 'UNAVAILABLE', retryAfterMs: 700 }];
    await expect(first.chat.skip()).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 700 });
    // The chat goes on.
    const bad = first.chat.send('bad');
    const good = first.chat.send('good');
    await expect(bad.delivered).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    await good.delivered;
    expect(second.shown).toEqual(['good']);
  });

  it('tells why a message waits', async () => {
    const [first, second] = await pair();
    server.fates.message = [{ code: 'TOO_MANY_MESSAGES', retryAfterMs: 50 }];
    await first.chat.send('1').delivered;
    expect(first.all('error')).toEqual([[expect.objectContaining({ code: 'TOO_MANY_MESSAGES', retryAfterMs: 50 })]]);
    expect(second.shown).toEqual(['1']);
  });

  it('is not confused by a match that comes with the answer to the search', async () => {
    const first = open();
    await first.chat.search();
    for (const transports of [['websocket'], ['polling']]) {
      const second = open({ socketOptions: { transports } });
      server.fates.search = ['matched right after'];
      await second.chat.search();
      expect(await first.next('matched')).toEqual(await second.next('matched'));
      expect(second.chat.state).toBe('paired');
      expect(second.all('state')).toEqual([['waiting'], ['paired']]);
      second.chat.close();
      await first.next('partnerLeft');
      await first.chat.search();
    }
  });

  it('is idle when a partner left before the match was told', async () => {
    const first = open();
    await first.chat.search();
    server.user(0).socket?.emit('partner_left', { sessionId: 'unknown', reason: 'skip' });
    await first.next('partnerLeft');
    expect(first.chat.state).toBe('idle');
    // And what comes late from a session of before is not for this one.
    server.user(0).socket?.emit('partner_left', { sessionId: 'unknown', reason: 'skip' });
    await first.chat.skip();
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it('tells what the operator announces', async () => {
    const first = open();
    await first.connected();
    server.announce('Soon.');
    expect(await first.next('announcement')).toEqual([{ message: 'Soon.', at: 1 }]);
  });

  it('tells that the partner is writing, until a message comes', async () => {
    const [ann, bob] = await pair();
    ann.chat.setTyping(true);
    expect(await bob.next('partnerTyping')).toEqual([true]);
    ann.chat.send('done');
    expect(await bob.next('partnerTyping')).toEqual([false]);
    await bob.next('message');
    await bob.chat.endChat();
    await ann.next('partnerLeft');
    expect(server.count('typing')).toBe(1);
    expect([...ann.all('partnerTyping'), ...bob.all('partnerTyping')]).toEqual([]);
  });

  it('takes no word of typing for another session, and forgets it when the partner is away or gone', async () => {
    const [ann, bob] = await pair();
    const sessionId = bob.chat.session?.sessionId ?? '';
    const { socket } = server.user(1);
    socket?.emit('partner_typing', { sessionId: 'another', typing: true });
    socket?.emit('partner_typing', { sessionId, typing: true });
    expect(await bob.next('partnerTyping')).toEqual([true]);
    server.heldOff = 0;
    server.cut(0);
    expect(await bob.next('partnerTyping')).toEqual([false]);
    await bob.next('partnerAway');
    socket?.emit('partner_typing', { sessionId, typing: true });
    expect(await bob.next('partnerTyping')).toEqual([true]);
    server.forget(0);
    expect(await bob.next('partnerTyping')).toEqual([false]);
    await bob.next('partnerLeft');
    ann.chat.close();
  });

  it('sends no word of typing without a session', async () => {
    const ann = open();
    await ann.connected();
    ann.chat.setTyping(true);
    await ann.chat.search();
    expect(server.count('typing')).toBe(0);
  });

  it('tells what the server says of the pool', async () => {
    const ann = open();
    await ann.connected();
    expect(ann.chat.lobby).toBeUndefined();
    server.tellLobby({ online: 7, waitMs: null });
    expect(await ann.next('lobby')).toEqual([{ online: 7, waitMs: null }]);
    expect(ann.chat.lobby).toEqual({ online: 7, waitMs: null });
  });

  it('goes on when a listener fails', async () => {
    const first = open();
    const uncaught = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => undefined);
    const off = first.chat.on('connection', () => {
      throw new Error('A mistake in the page.');
    });
    await first.connected();
    expect(uncaught).toHaveBeenCalledTimes(1);
    uncaught.mockRestore();
    off();
    expect(await first.chat.search()).toBe('waiting');
  });

  it('no longer calls a listener that was taken off', async () => {
    const first = open();
    const listener = jest.fn();
    first.chat.on('connection', listener)();
    await first.connected();
    expect(listener).not.toHaveBeenCalled();
  });
});

describe('a lost connection', () => {
  it('is not a lost chat: what both write meanwhile arrives once and in order', async () => {
    const [first, second] = await pair();
    const { session } = first.chat;
    await first.chat.send('1').delivered;
    server.cut(0);
    await second.next('partnerAway');
    const there = [second.chat.send('a'), second.chat.send('b')];
    await first.until(() => first.chat.connection === 'reconnecting');
    const here = [first.chat.send('2'), first.chat.send('3')];
    await second.next('partnerBack');
    await Promise.all([...here, ...there].map(message => message.delivered));
    expect(second.shown).toEqual(['1', '2', '3']);
    expect(first.shown).toEqual(['a', 'b']);
    expect(first.chat.session).toEqual(session);
    expect(first.all('state')).toEqual([]);
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it('shows messages once whose answer or receipt was lost', async () => {
    const [first, second] = await pair();
    server.fates.message = ['answer lost'];
    server.fates.received = ['vanishes'];
    await first.chat.send('1').delivered;
    expect(second.shown).toEqual(['1']);
    expect(server.count('message')).toBeGreaterThan(1);
  });

  it('sends again what vanished on the way, when a later message shows the gap', async () => {
    const [first, second] = await pair();
    server.fates.message = ['vanishes'];
    const lost = first.chat.send('1');
    await first.until(() => lost.status === 'sent');
    await first.chat.send('2').delivered;
    expect(second.shown).toEqual(['1', '2']);
  });

  it('sends again when the server says that something was missed', async () => {
    const [first, second] = await pair();
    server.fates.message = ['vanishes'];
    const lost = first.chat.send('1');
    await first.until(() => lost.status === 'sent');
    const sessionId = first.chat.session?.sessionId ?? '';
    server.user(1).socket?.emit('missed', { sessionId });
    await lost.delivered;
    expect(second.shown).toEqual(['1']);
  });

  it('sends receipts again that the server could not pass on', async () => {
    const [first] = await pair();
    server.fates.received = [{ code: 'TOO_MANY_REQUESTS', retryAfterMs: 20 }];
    await first.chat.send('1').delivered;
    expect(server.count('received')).toBe(2);
  });

  it.each(['lost', 'answer lost'] as const)('while searching: a search is not done twice (%s)', async fate => {
    const first = open();
    server.fates.search = [fate];
    expect(await first.chat.search()).toBe('waiting');
    expect(server.count('search')).toBe(1);
  });

  it.each(['lost', 'answer lost'] as const)('while skipping: only this partner is skipped (%s)', async fate => {
    const [first, second] = await pair();
    await open().chat.search();
    server.fates.skip = [fate];
    expect(await first.chat.skip()).toBe('paired');
    expect(server.count('skip')).toBe(1);
    expect(server.user(0).partner?.name).toBe('2');
    expect(await second.next('partnerLeft')).toMatchObject([{ reason: 'skip' }]);
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it.each(['lost', 'answer lost'] as const)('while ending the chat: it is ended (%s)', async fate => {
    const [first, second] = await pair();
    server.fates.end_chat = [fate];
    expect(await first.chat.endChat()).toBe('idle');
    expect(server.count('end_chat')).toBe(1);
    await second.next('partnerLeft');
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it('sends no command of before in the chat that comes after', async () => {
    const [first] = await pair();
    await open().chat.search();
    const skips = Promise.all([first.chat.skip(), first.chat.skip(), first.chat.skip()]);
    expect(await skips).toEqual(['paired', 'paired', 'paired']);
    expect(server.count('skip')).toBe(1);
  });

  it('sends nothing that socket.io-client kept when it noticed the silence of the server', async () => {
    const [first] = await pair();
    await open().chat.search();
    const silent = jest.spyOn(Engine.prototype, '_hasPingExpired' as never).mockReturnValue(true as never);
    const skip = first.chat.skip();
    await new Promise(setImmediate);
    expect(silent).toHaveBeenCalled();
    silent.mockRestore();
    server.cut(0);
    expect(await skip).toBe('paired');
    // A later command shows that no other skip is on its way.
    await first.chat.endChat();
    expect(server.count('skip')).toBe(1);
  });

  it('of both: each is told, when it is back, where the other is', async () => {
    const [first, second] = await pair();
    server.cut(1);
    await second.next('connection');
    server.heldOff = 0;
    server.cut(0);
    await second.next('partnerAway');
    const message = second.chat.send('a');
    server.cut(1);
    await second.until(() => second.chat.connection === 'reconnecting');
    server.heldOff = 1;
    await first.connected();
    server.heldOff = undefined;
    await second.next('partnerBack');
    await message.delivered;
    expect(first.shown).toEqual(['a']);
  });

  it('lets a command be given up', async () => {
    const [first] = await pair();
    server.cut(0);
    await first.until(() => first.chat.connection === 'reconnecting');
    const giveUp = new AbortController();
    const skip = first.chat.skip({ signal: giveUp.signal });
    giveUp.abort();
    await expect(skip).rejects.toMatchObject({ name: 'AbortError' });
    await first.chat.send('still here').delivered;
    expect(server.count('skip')).toBe(0);
  });

  it('survives lost welcomes', async () => {
    const [first] = await pair();
    server.connectionFates.push('welcome lost', 'welcome lost');
    server.cut(0);
    await first.next('connection');
    await first.chat.send('1').delivered;
    expect(server.users).toHaveLength(2);
  });

  it('is made again when the server hangs', async () => {
    const [first] = await pair({ socketOptions: { timeout: 100 } });
    server.connectionFates.push('silence');
    server.cut(0);
    await first.connected();
    expect(server.log).toContain('silence');
    await first.chat.send('1').delivered;
  });

  it('is made again when the server refuses it for now', async () => {
    const [first] = await pair();
    server.connectionFates.push('unavailable', 'refused');
    server.cut(0);
    await first.next('connection');
    await first.chat.send('1').delivered;
    expect(server.users).toHaveLength(2);
    expect(first.all('error').map(([error]) => error)).toEqual([
      expect.objectContaining({ code: 'UNAVAILABLE', retryAfterMs: 50 }),
      expect.objectContaining({ code: 'TOO_MANY_CONNECTIONS', retryAfterMs: 50 }),
    ]);
  });

  it('ends the chat when the user comes back too late', async () => {
    const [first, second] = await pair();
    server.cut(0);
    await first.until(() => first.chat.connection === 'reconnecting');
    const message = first.chat.send('too late');
    server.forget(0);
    expect(await second.next('partnerLeft')).toMatchObject([{ reason: 'timeout' }]);
    expect(await first.next('partnerLeft')).toMatchObject([{ reason: 'timeout' }]);
    await expect(message.delivered).rejects.toMatchObject({ code: 'NOT_IN_CHAT' });
    expect(message).toMatchObject({ status: 'failed', maybeShown: false });
    expect(first.chat.state).toBe('idle');
    expect(await first.chat.search()).toBe('waiting');
  });

  it('finds a match that happened meanwhile', async () => {
    const first = open();
    await first.chat.search();
    server.cut(0);
    await first.until(() => first.chat.connection === 'reconnecting');
    const second = open();
    await second.chat.search();
    await first.next('matched');
    await first.chat.send('hello').delivered;
    expect(second.shown).toEqual(['hello']);
  });

  it('leaves nothing of one chat for the next', async () => {
    const [first, second] = await pair();
    const third = open();
    await third.chat.search();
    server.fates.message = ['vanishes'];
    first.chat.send('for the second');
    await first.chat.skip();
    await first.chat.send('for the third').delivered;
    expect(third.shown).toEqual(['for the third']);
    expect(second.shown).toEqual([]);
  });
});

describe('a page that is loaded again', () => {
  it('goes on where it was', async () => {
    const storage = memoryStorage();
    const [first, second] = await pair({ storage });
    await first.chat.send('1').delivered;
    await second.chat.send('a').delivered;
    // What the page that goes away leaves: its storage, and a connection that breaks.
    server.cut(0);
    await first.until(() => first.chat.connection === 'reconnecting');
    first.chat.send('2');
    const left = new Map(storage.items);
    first.chat.close();
    for (const [key, value] of left) storage.items.set(key, value);

    const again = open({ storage });
    await again.connected();
    expect(again.chat.session?.sessionId).toBe(second.chat.session?.sessionId);
    await again.chat.send('3').delivered;
    await second.chat.send('b').delivered;
    expect(second.shown).toEqual(['1', '2', '3']);
    expect(again.shown).toEqual(['b']);
    expect(again.all('matched')).toHaveLength(1);
    expect(again.all('ownMessage')[0]).toMatchObject([{ text: '2' }]);
  });

  it('goes on from an older place than it had reached, as after a crash of the browser', async () => {
    const storage = memoryStorage();
    const [first, second] = await pair({ storage });
    await first.chat.send('1').delivered;
    await second.chat.send('a').delivered;
    const older = new Map(storage.items);
    await first.chat.send('2').delivered;
    await first.chat.send('3').delivered;
    await second.chat.send('b').delivered;
    await second.chat.send('c').delivered;
    // The process is gone: it neither says goodbye nor comes back.
    first.chat.handOver();
    for (const [key, value] of older) storage.items.set(key, value);

    const again = open({ storage });
    await again.connected();
    const message = again.chat.send('4');
    await second.chat.send('d').delivered;
    await message.delivered;
    expect(second.shown).toEqual(['1', '2', '3', '4']);
    expect(again.shown).toEqual(['d']);
  });

  it('begins anew when nothing sensible is stored, or nothing can be', async () => {
    for (const item of ['{', '1', '{"token":1}', '{"token":"token-1","session":{}}']) {
      const storage = memoryStorage();
      storage.items.set('passerby', item);
      const first = open({ storage });
      await first.connected();
      expect(JSON.parse(storage.items.get('passerby') ?? '')).toEqual({ token: expect.any(String) });
    }
    const forbidden = () => {
      throw new Error('The user allows no storage.');
    };
    await open({ storage: { getItem: forbidden, setItem: forbidden, removeItem: forbidden } }).connected();
    expect(server.users).toHaveLength(5);
  });

  it('is told that the chat is over, if it is', async () => {
    const storage = memoryStorage();
    const [first, second] = await pair({ storage });
    const sessionId = first.chat.session?.sessionId;
    const left = new Map(storage.items);
    first.chat.close();
    await second.next('partnerLeft');
    for (const [key, value] of left) storage.items.set(key, value);

    const again = open({ storage });
    expect(again.chat.restoring).toBe(true);
    expect(await again.next('partnerLeft')).toEqual([{ sessionId, reason: 'disconnect' }]);
    await again.connected();
    expect([again.chat.restoring, again.chat.state]).toEqual([false, 'idle']);
  });

  it('finds nothing after the user left for good', async () => {
    const storage = memoryStorage();
    const first = open({ storage });
    await first.connected();
    expect(storage.items.size).toBe(1);
    first.chat.close();
    expect(storage.items.size).toBe(0);
  });
});

describe('a chat that is handed over', () => {
  it('goes on with another client, and nothing is lost, though nothing was stored', async () => {
    const [first, second] = await pair();
    await first.chat.send('1').delivered;
    await second.chat.send('a').delivered;
    server.fates.message = ['vanishes'];
    first.chat.send('2');
    const saved = first.chat.handOver();
    expect(first.all('connection').at(-1)).toEqual(['closed', expect.objectContaining({ code: 'REPLACED' })]);
    expect([first.chat.state, first.chat.handOver()]).toEqual(['idle', undefined]);

    const other = open({ takeOver: saved ?? '' });
    await other.connected();
    expect(other.chat.session?.sessionId).toBe(second.chat.session?.sessionId);
    await other.chat.send('3').delivered;
    await second.chat.send('b').delivered;
    expect(second.shown).toEqual(['1', '2', '3']);
    expect(other.shown).toEqual(['b']);
    expect(second.all('partnerLeft')).toEqual([]);
  });

  it('is not in the storage any more', async () => {
    const storage = memoryStorage();
    const first = open({ storage });
    await first.connected();
    expect(first.chat.handOver()).toContain('token');
    expect(storage.items.size).toBe(0);
  });
});

describe('a closed chat', () => {
  it('tells the partner at once', async () => {
    const [first, second] = await pair();
    const message = second.chat.send('1');
    await message.delivered;
    first.chat.close();
    expect(first.chat).toMatchObject({ state: 'idle', connection: 'closed', session: undefined });
    expect(await second.next('partnerLeft')).toMatchObject([{ reason: 'disconnect' }]);
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it('rejects what waits', async () => {
    const first = open();
    const search = first.chat.search();
    first.chat.close();
    await expect(search).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('is what remains where the same user connected later', async () => {
    const storage = memoryStorage();
    const [first, second] = await pair({ storage });
    const copy = memoryStorage();
    for (const [key, value] of storage.items) copy.items.set(key, value);
    const later = open({ storage: copy });
    await later.connected();
    expect(await first.next('connection')).toMatchObject(['closed', { code: 'REPLACED' }]);
    expect(first.chat.state).toBe('idle');
    await later.chat.send('from the other window').delivered;
    expect(second.shown).toEqual(['from the other window']);
    expect(server.count('connect')).toBe(3);
  });

  it('is not opened again when the server sent the user away', async () => {
    const [first] = await pair();
    server.kick(0);
    expect(await first.next('connection')).toMatchObject(['closed', { code: 'CLOSED' }]);
    await expect(first.chat.search()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
