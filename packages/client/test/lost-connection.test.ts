import { Socket as Engine } from 'engine.io-client';
import { eventually } from '../../../tests/support/eventually.ts';
import { ChatStage } from './chat-stage.ts';

const stage = new ChatStage();

describe('a lost connection', () => {
  it('is not a lost chat: what both write meanwhile arrives once and in order', async () => {
    const [first, second] = await stage.pair();
    const { session } = first.chat;
    await first.chat.send('1').delivered;
    stage.server.cut(0);
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
    const [first, second] = await stage.pair();
    stage.server.fates.message = ['answer lost'];
    stage.server.fates.received = ['vanishes'];
    await first.chat.send('1').delivered;
    expect(second.shown).toEqual(['1']);
    expect(stage.server.count('message')).toBeGreaterThan(1);
  });

  it('sends again what vanished on the way, when a later message shows the gap', async () => {
    const [first, second] = await stage.pair();
    stage.server.fates.message = ['vanishes'];
    const lost = first.chat.send('1');
    await first.until(() => lost.status === 'sent');
    await first.chat.send('2').delivered;
    expect(second.shown).toEqual(['1', '2']);
  });

  it('sends again when the server says that something was missed', async () => {
    const [first, second] = await stage.pair();
    stage.server.fates.message = ['vanishes'];
    const lost = first.chat.send('1');
    await first.until(() => lost.status === 'sent');
    const sessionId = first.chat.session?.sessionId ?? '';
    stage.server.user(1).socket?.emit('missed', { sessionId });
    await lost.delivered;
    expect(second.shown).toEqual(['1']);
  });

  it('sends receipts again that the server could not pass on', async () => {
    const [first] = await stage.pair();
    stage.server.fates.received = [{ code: 'TOO_MANY_REQUESTS', retryAfterMs: 20 }];
    await first.chat.send('1').delivered;
    expect(stage.server.count('received')).toBe(2);
  });

  it('sends receipts again that were refused while a skip was under way that failed', async () => {
    const [first, second] = await stage.pair();
    stage.server.fates.received = [{ code: 'NOT_IN_CHAT' }];
    stage.server.fates.skip = [{ code: 'UNAVAILABLE', retryAfterMs: 50 }];
    const own = first.chat.send('1');
    await second.next('message');
    await expect(second.chat.skip()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await own.delivered;
  });

  it('ends a session of which the server knows nothing when nothing is said but receipts', async () => {
    const [first, second] = await stage.pair();
    const refusal = { code: 'NOT_IN_CHAT', retryAfterMs: 10 } as const;
    stage.server.fates.received = [refusal, refusal, refusal];
    first.chat.send('1');
    expect(await second.next('partnerLeft')).toMatchObject([{ reason: 'disconnect' }]);
    expect(second.chat.state).toBe('idle');
    expect(stage.server.count('received')).toBe(3);
  });

  it('ends no session for receipts that were refused while a skip was under way that failed', async () => {
    const [first, second] = await stage.pair();
    const refusal = { code: 'NOT_IN_CHAT', retryAfterMs: 10 } as const;
    stage.server.fates.skip = ['refused after a message'];
    stage.server.fates.received = [refusal, refusal, refusal, refusal];
    const skip = second.chat.skip();
    await eventually(() => expect(stage.server.count('skip')).toBe(1));
    const own = first.chat.send('1');
    await eventually(() => expect(stage.server.fates.received).toEqual([]));
    stage.server.fates.message = [{ code: 'UNAVAILABLE', retryAfterMs: 10 }];
    await own.delivered;
    first.chat.send('2');
    await expect(skip).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(second.all('partnerLeft')).toEqual([]);
    await first.chat.send('3').delivered;
  });

  it.each(['lost', 'answer lost'] as const)('while searching: a search is not done twice (%s)', async fate => {
    const first = stage.open();
    stage.server.fates.search = [fate];
    expect(await first.chat.search()).toBe('waiting');
    expect(stage.server.count('search')).toBe(1);
  });

  it.each(['lost', 'answer lost'] as const)('while skipping: only this partner is skipped (%s)', async fate => {
    const [first, second] = await stage.pair();
    await stage.open().chat.search();
    stage.server.fates.skip = [fate];
    expect(await first.chat.skip()).toBe('paired');
    expect(stage.server.count('skip')).toBe(1);
    expect(stage.server.user(0).partner?.name).toBe('2');
    expect(await second.next('partnerLeft')).toMatchObject([{ reason: 'skip' }]);
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it.each(['lost', 'answer lost'] as const)('while ending the chat: it is ended (%s)', async fate => {
    const [first, second] = await stage.pair();
    stage.server.fates.end_chat = [fate];
    expect(await first.chat.endChat()).toBe('idle');
    expect(stage.server.count('end_chat')).toBe(1);
    await second.next('partnerLeft');
    expect(first.all('partnerLeft')).toEqual([]);
  });

  it('sends no command of before in the chat that comes after', async () => {
    const [first] = await stage.pair();
    await stage.open().chat.search();
    const skips = Promise.all([first.chat.skip(), first.chat.skip(), first.chat.skip()]);
    expect(await skips).toEqual(['paired', 'paired', 'paired']);
    expect(stage.server.count('skip')).toBe(1);
  });

  it('sends nothing that socket.io-client kept when it noticed the silence of the server', async () => {
    const [first] = await stage.pair();
    await stage.open().chat.search();
    const silent = jest.spyOn(Engine.prototype, '_hasPingExpired' as never).mockReturnValue(true as never);
    const skip = first.chat.skip();
    await new Promise(setImmediate);
    expect(silent).toHaveBeenCalled();
    silent.mockRestore();
    stage.server.cut(0);
    expect(await skip).toBe('paired');
    // A later command shows that no other skip is on its way.
    await first.chat.endChat();
    expect(stage.server.count('skip')).toBe(1);
  });

  it('of both: each is told, when it is back, where the other is', async () => {
    const [first, second] = await stage.pair();
    stage.server.cut(1);
    await second.next('connection');
    stage.server.heldOff = 0;
    stage.server.cut(0);
    await second.next('partnerAway');
    const message = second.chat.send('a');
    stage.server.cut(1);
    await second.until(() => second.chat.connection === 'reconnecting');
    stage.server.heldOff = 1;
    await first.connected();
    stage.server.heldOff = undefined;
    await second.next('partnerBack');
    await message.delivered;
    expect(first.shown).toEqual(['a']);
  });

  it('lets a command be given up', async () => {
    const [first] = await stage.pair();
    stage.server.cut(0);
    await first.until(() => first.chat.connection === 'reconnecting');
    const giveUp = new AbortController();
    const skip = first.chat.skip({ signal: giveUp.signal });
    giveUp.abort();
    await expect(skip).rejects.toMatchObject({ name: 'AbortError' });
    await first.chat.send('still here').delivered;
    expect(stage.server.count('skip')).toBe(0);
  });

  it('survives lost welcomes', async () => {
    const [first] = await stage.pair();
    stage.server.connectionFates.push('welcome lost', 'welcome lost');
    stage.server.cut(0);
    await first.next('connection');
    await first.chat.send('1').delivered;
    expect(stage.server.users).toHaveLength(2);
  });

  it('is made again when the server hangs', async () => {
    const [first] = await stage.pair({ socketOptions: { timeout: 100 } });
    stage.server.connectionFates.push('silence');
    stage.server.cut(0);
    await first.connected();
    expect(stage.server.log).toContain('silence');
    await first.chat.send('1').delivered;
  });

  it('is made in another way where a WebSocket does not get through', async () => {
    stage.server.swallowsWebSockets = true;
    const first = stage.open({ socketOptions: { transports: ['websocket', 'polling'], timeout: 200 } });
    expect(await first.chat.search()).toBe('waiting');
  });

  it('is made again when the server refuses it for now', async () => {
    const [first] = await stage.pair();
    stage.server.connectionFates.push('unavailable', 'refused');
    stage.server.cut(0);
    await first.next('connection');
    await first.chat.send('1').delivered;
    expect(stage.server.users).toHaveLength(2);
    expect(first.all('error').map(([error]) => error)).toEqual([
      expect.objectContaining({ code: 'UNAVAILABLE', retryAfterMs: 50 }),
      expect.objectContaining({ code: 'TOO_MANY_CONNECTIONS', retryAfterMs: 50 }),
    ]);
  });

  it('is made again when a busy server said, before there was a connection', async () => {
    stage.server.putsOffMs = 50;
    const transports = ['websocket', 'polling'];
    const first = stage.open({ socketOptions: { transports, tryAllTransports: true } });
    expect(await first.next('error')).toEqual([expect.objectContaining({ code: 'BUSY', retryAfterMs: 50 })]);
    stage.server.putsOffMs = undefined;
    await first.connected();
  });

  it('says that it comes back before there is a connection, and only then', async () => {
    const [first] = await stage.pair();
    expect(stage.server.saidToComeBack).toEqual([false, false]);
    stage.server.cut(0);
    await first.connected();
    expect(stage.server.saidToComeBack).toEqual([false, false, true]);
  });

  it('ends the chat when the user comes back too late', async () => {
    const [first, second] = await stage.pair();
    stage.server.cut(0);
    await first.until(() => first.chat.connection === 'reconnecting');
    const message = first.chat.send('too late');
    stage.server.forget(0);
    expect(await second.next('partnerLeft')).toMatchObject([{ reason: 'timeout' }]);
    expect(await first.next('partnerLeft')).toMatchObject([{ reason: 'timeout' }]);
    await expect(message.delivered).rejects.toMatchObject({ code: 'NOT_IN_CHAT' });
    expect(message).toMatchObject({ status: 'failed', maybeShown: false });
    expect(first.chat.state).toBe('idle');
    expect(await first.chat.search()).toBe('waiting');
  });

  it('finds a match that happened meanwhile', async () => {
    const first = stage.open();
    await first.chat.search();
    stage.server.cut(0);
    await first.until(() => first.chat.connection === 'reconnecting');
    const second = stage.open();
    await second.chat.search();
    await first.next('matched');
    await first.chat.send('hello').delivered;
    expect(second.shown).toEqual(['hello']);
  });

  it('leaves nothing of one chat for the next', async () => {
    const [first, second] = await stage.pair();
    const third = stage.open();
    await third.chat.search();
    stage.server.fates.message = ['vanishes'];
    first.chat.send('for the second');
    await first.chat.skip();
    await first.chat.send('for the third').delivered;
    expect(third.shown).toEqual(['for the third']);
    expect(second.shown).toEqual([]);
  });
});
