import { ChatStage, memoryStorage } from './chat-stage.ts';

const stage = new ChatStage();

describe('a page that is loaded again', () => {
  it('goes on where it was', async () => {
    const storage = memoryStorage();
    const [first, second] = await stage.pair({ storage });
    await first.chat.send('1').delivered;
    await second.chat.send('a').delivered;
    // What the page that goes away leaves: its storage, and a connection that breaks.
    stage.server.cut(0);
    await first.until(() => first.chat.connection === 'reconnecting');
    first.chat.send('2');
    const left = new Map(storage.items);
    first.chat.close();
    for (const [key, value] of left) storage.items.set(key, value);

    const again = stage.open({ storage });
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
    const [first, second] = await stage.pair({ storage });
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

    const again = stage.open({ storage });
    await again.connected();
    const message = again.chat.send('4');
    await second.chat.send('d').delivered;
    await message.delivered;
    expect(second.shown).toEqual(['1', '2', '3', '4']);
    expect(again.shown).toEqual(['d']);
  });

  it('begins anew when nothing sensible is stored, or nothing can be', async () => {
    const outgoing = { delivered: 2 ** 53 - 1, accepted: 2 ** 53 - 1, texts: [] };
    const endless = JSON.stringify({ token: 'token-1', session: { sessionId: 's', shown: 0, outgoing } });
    for (const item of ['{', '1', '{"token":1}', '{"token":"token-1","session":{}}', endless]) {
      const storage = memoryStorage();
      storage.items.set('passerby', item);
      const first = stage.open({ storage });
      await first.connected();
      expect(JSON.parse(storage.items.get('passerby') ?? '')).toEqual({ token: expect.any(String) });
    }
    const forbidden = () => {
      throw new Error('The user allows no storage.');
    };
    await stage.open({ storage: { getItem: forbidden, setItem: forbidden, removeItem: forbidden } }).connected();
    expect(stage.server.users).toHaveLength(6);
  });

  it('is told that the chat is over, if it is', async () => {
    const storage = memoryStorage();
    const [first, second] = await stage.pair({ storage });
    const sessionId = first.chat.session?.sessionId;
    const left = new Map(storage.items);
    first.chat.close();
    await second.next('partnerLeft');
    for (const [key, value] of left) storage.items.set(key, value);

    const again = stage.open({ storage });
    expect(again.chat.restoring).toBe(true);
    expect(await again.next('partnerLeft')).toEqual([{ sessionId, reason: 'disconnect' }]);
    await again.connected();
    expect([again.chat.restoring, again.chat.state]).toEqual([false, 'idle']);
  });

  it('finds nothing after the user left for good', async () => {
    const storage = memoryStorage();
    const first = stage.open({ storage });
    await first.connected();
    expect(storage.items.size).toBe(1);
    first.chat.close();
    expect(storage.items.size).toBe(0);
  });
});

describe('a chat that is handed over', () => {
  it('goes on with another client, and nothing is lost, though nothing was stored', async () => {
    const [first, second] = await stage.pair();
    await first.chat.send('1').delivered;
    await second.chat.send('a').delivered;
    stage.server.fates.message = ['vanishes'];
    first.chat.send('2');
    const saved = first.chat.handOver();
    expect(first.all('connection').at(-1)).toEqual(['closed', expect.objectContaining({ code: 'REPLACED' })]);
    expect([first.chat.state, first.chat.handOver()]).toEqual(['idle', undefined]);

    const other = stage.open({ takeOver: saved ?? '' });
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
    const first = stage.open({ storage });
    await first.connected();
    expect(first.chat.handOver()).toContain('token');
    expect(storage.items.size).toBe(0);
  });
});
