import { ChatStage, memoryStorage } from './chat-stage.ts';

const stage = new ChatStage();

describe('a chat', () => {
  it('begins, is talked in, and ends', async () => {
    const first = stage.open();
    expect(first.chat.connection).toBe('connecting');
    // Given before there is a connection: it waits.
    expect(await first.chat.search()).toBe('waiting');
    const second = stage.open();
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
    const first = stage.open();
    expect(() => first.chat.send('hello')).toThrow(expect.objectContaining({ code: 'NOT_IN_CHAT' }));
    first.chat.close();
    expect(() => first.chat.send('hello')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    await expect(first.chat.search()).rejects.toMatchObject({ code: 'CLOSED' });
    const [, second] = await stage.pair();
    expect(() => second.chat.send(' \n')).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }));
    expect(() => second.chat.send('x'.repeat(501))).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }));
  });

  it('goes on if the user wanted to leave, was matched meanwhile, and could not leave', async () => {
    const first = stage.open();
    await first.chat.search();
    stage.server.fates.end_chat = ['refused after a message'];
    const left = first.chat.endChat();
    while (stage.server.count('end_chat') === 0) await new Promise(resolve => setImmediate(resolve));
    const second = stage.open();
    await second.chat.search();
    await first.next('matched');
    stage.server.fates.message = [{ code: 'NOT_IN_CHAT', retryAfterMs: 50 }];
    const message = first.chat.send('hello');
    await expect(left).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await message.delivered;
    expect(second.shown).toEqual(['hello']);
    expect(first.all('partnerLeft')).toEqual([]);
    expect(first.chat.state).toBe('paired');
  });

  it('gives the errors of the server to whoever asked', async () => {
    const [first, second] = await stage.pair();
    await expect(first.chat.search()).rejects.toMatchObject({ name: 'ChatError', code: 'ALREADY_IN_CHAT' });
    stage.server.fates.skip = [{ code: 'UNAVAILABLE', retryAfterMs: 700 }];
    await expect(first.chat.skip()).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 700 });
    // The chat goes on.
    const bad = first.chat.send('bad');
    const good = first.chat.send('good');
    await expect(bad.delivered).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    await good.delivered;
    expect(second.shown).toEqual(['good']);
  });

  it('tells why a message waits', async () => {
    const [first, second] = await stage.pair();
    stage.server.fates.message = [{ code: 'TOO_MANY_MESSAGES', retryAfterMs: 50 }];
    await first.chat.send('1').delivered;
    expect(first.all('error')).toEqual([[expect.objectContaining({ code: 'TOO_MANY_MESSAGES', retryAfterMs: 50 })]]);
    expect(second.shown).toEqual(['1']);
  });

  it('is not confused by a match that comes with the answer to the search', async () => {
    const first = stage.open();
    await first.chat.search();
    for (const transports of [['websocket'], ['polling']]) {
      const second = stage.open({ socketOptions: { transports } });
      stage.server.fates.search = ['matched right after'];
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
    const first = stage.open();
    await first.chat.search();
    stage.server.user(0).socket?.emit('partner_left', { sessionId: 'unknown', reason: 'skip' });
    await first.next('partnerLeft');
    expect(first.chat.state).toBe('idle');
    // And what comes late from a session of before is not for this one.
    stage.server.user(0).socket?.emit('partner_left', { sessionId: 'unknown', reason: 'skip' });
    await first.chat.skip();
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it('tells of a partner who left before the command that found them was answered', async () => {
    const searching = stage.open();
    stage.server.fates.search = ['left at once'];
    expect(await searching.chat.search()).toBe('idle');
    expect(searching.all('partnerLeft')).toEqual([[{ sessionId: 'unheard', reason: 'end' }]]);

    const [skipping] = await stage.pair();
    stage.server.fates.skip = ['left at once'];
    expect(await skipping.chat.skip()).toBe('idle');
    // The end that the user asked for is no news.
    expect(skipping.all('partnerLeft')).toEqual([[{ sessionId: 'unheard', reason: 'end' }]]);
  });

  it('tells what the operator announces', async () => {
    const first = stage.open();
    await first.connected();
    stage.server.announce('Soon.');
    expect(await first.next('announcement')).toEqual([{ message: 'Soon.', at: 1 }]);
  });

  it('tells that the partner is writing, until a message comes', async () => {
    const [ann, bob] = await stage.pair();
    ann.chat.setTyping(true);
    expect(await bob.next('partnerTyping')).toEqual([true]);
    ann.chat.send('done');
    expect(await bob.next('partnerTyping')).toEqual([false]);
    await bob.next('message');
    await bob.chat.endChat();
    await ann.next('partnerLeft');
    expect(stage.server.count('typing')).toBe(1);
    expect([...ann.all('partnerTyping'), ...bob.all('partnerTyping')]).toEqual([]);
  });

  it('takes no word of typing for another session, and forgets it when the partner is away or gone', async () => {
    const [ann, bob] = await stage.pair();
    const sessionId = bob.chat.session?.sessionId ?? '';
    const { socket } = stage.server.user(1);
    socket?.emit('partner_typing', { sessionId: 'another', typing: true });
    socket?.emit('partner_typing', { sessionId, typing: true });
    expect(await bob.next('partnerTyping')).toEqual([true]);
    stage.server.heldOff = 0;
    stage.server.cut(0);
    expect(await bob.next('partnerTyping')).toEqual([false]);
    await bob.next('partnerAway');
    socket?.emit('partner_typing', { sessionId, typing: true });
    expect(await bob.next('partnerTyping')).toEqual([true]);
    stage.server.forget(0);
    expect(await bob.next('partnerTyping')).toEqual([false]);
    await bob.next('partnerLeft');
    ann.chat.close();
  });

  it('sends no word of typing without a session', async () => {
    const ann = stage.open();
    await ann.connected();
    ann.chat.setTyping(true);
    await ann.chat.search();
    expect(stage.server.count('typing')).toBe(0);
  });

  it('tells what the server says of the pool', async () => {
    const ann = stage.open();
    await ann.connected();
    expect(ann.chat.lobby).toBeUndefined();
    stage.server.tellLobby({ online: 7, waitMs: null });
    expect(await ann.next('lobby')).toEqual([{ online: 7, waitMs: null }]);
    expect(ann.chat.lobby).toEqual({ online: 7, waitMs: null });
  });

  it('goes on when a listener fails', async () => {
    const first = stage.open();
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
    const first = stage.open();
    const listener = jest.fn();
    first.chat.on('connection', listener)();
    await first.connected();
    expect(listener).not.toHaveBeenCalled();
  });
});

describe('a closed chat', () => {
  it('tells the partner at once', async () => {
    const [first, second] = await stage.pair();
    const message = second.chat.send('1');
    await message.delivered;
    first.chat.close();
    expect(first.chat).toMatchObject({ state: 'idle', connection: 'closed', session: undefined });
    expect(await second.next('partnerLeft')).toMatchObject([{ reason: 'disconnect' }]);
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it('rejects what waits', async () => {
    const first = stage.open();
    const search = first.chat.search();
    first.chat.close();
    await expect(search).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('is what remains where the same user connected later', async () => {
    const storage = memoryStorage();
    const [first, second] = await stage.pair({ storage });
    const copy = memoryStorage();
    for (const [key, value] of storage.items) copy.items.set(key, value);
    const later = stage.open({ storage: copy });
    await later.connected();
    expect(await first.next('connection')).toMatchObject(['closed', { code: 'REPLACED' }]);
    expect(first.chat.state).toBe('idle');
    await later.chat.send('from the other window').delivered;
    expect(second.shown).toEqual(['from the other window']);
    expect(stage.server.count('connect')).toBe(3);
  });

  it('is not opened again when the server sent the user away', async () => {
    const [first] = await stage.pair();
    stage.server.kick(0);
    expect(await first.next('connection')).toMatchObject(['closed', { code: 'CLOSED' }]);
    await expect(first.chat.search()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
