import { setTimeout as delay } from 'node:timers/promises';
import { type Chat, connect } from '@passerby/client';
import { FakeServer } from '../../../packages/client/test/fake-server.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { ChatScreen } from '../src/chat-screen.ts';
import { texts } from '../src/texts.ts';

let server: FakeServer;
let screen: ChatScreen;
let chats: Chat[];
let askTwins: jest.Mock<Promise<string | undefined>>;
let said: string[];

beforeEach(async () => {
  server = await FakeServer.start();
  chats = [];
  said = [];
  askTwins = jest.fn(async () => undefined);
  screen = new ChatScreen({ connect: open, askTwins, show: () => undefined, announce: text => said.push(text) });
});

afterEach(async () => {
  for (const chat of chats) chat.close();
  await server.stop();
});

function open(): Chat {
  const chat = connect(server.url, { socketOptions: { transports: ['websocket'] } });
  chats.push(chat);
  return chat;
}

/** The lines on the screen. */
function lines(): string[] {
  return screen.view.entries.map(({ text }) => text);
}

/** Someone who is in a chat with the user of the screen. */
async function pair(): Promise<Chat> {
  screen.next();
  await eventually(() => expect(server.user(0).state).toBe('waiting'));
  const partner = open();
  await partner.search();
  await eventually(() => expect(screen.view.phase).toBe('chatting'));
  return partner;
}

/** The end of the chat is on its way, until {@link refuse}. */
async function beginToLeave(): Promise<void> {
  server.fates.end_chat = ['refused after a message'];
  screen.stop();
  await eventually(() => expect(server.count('end_chat')).toBe(1));
}

/** With the partner's next message, which is sent again after that. */
function refuse(partner: Chat, text: string): void {
  server.fates.message = [{ code: 'UNAVAILABLE', retryAfterMs: 10 }];
  partner.send(text);
}

it('looks for the next partner when one left before the match was told', async () => {
  server.fates.search = ['left at once', 'left at once'];
  screen.next();
  await eventually(() => expect(server.user(0).state).toBe('waiting'));
  expect(screen.view.phase).toBe('searching');
});

describe('a search that a busy server puts off', () => {
  const soon = { code: 'BUSY', retryAfterMs: 20 } as const;

  it('goes on by itself, and is told', async () => {
    server.fates.search = [{ ...soon, retryAfterMs: 200 }, soon];
    screen.next();
    await eventually(() => expect(screen.view.trouble).toMatchObject({ of: 'putOff' }));
    expect(screen.view).toMatchObject({ phase: 'searching', failure: undefined });
    expect(said.at(-1)).toBe(`${texts.errors.BUSY} ${texts.triesIn(1)}`);
    await eventually(() => expect(server.user(0).state).toBe('waiting'));
    await eventually(() => expect(screen.view).toMatchObject({ phase: 'searching', trouble: undefined }));
    expect(server.count('search')).toBe(3);
  });

  it('is given up when the user stops it', async () => {
    server.fates.search = [soon];
    screen.next();
    await eventually(() => expect(screen.view.trouble).toMatchObject({ of: 'putOff' }));
    screen.stop();
    expect(screen.view).toMatchObject({ phase: 'home', trouble: undefined });
    // A later search of somebody else shows that the time is over.
    await eventually(() => expect(server.count('end_chat')).toBe(1));
    const others = [open(), open()];
    for (const other of others) await other.search();
    await eventually(() => expect(others[1]?.state).toBe('paired'));
    expect(screen.view.phase).toBe('home');
    expect(server.user(0).state).toBe('idle');
  });
});

it('does not search again by itself when the service is not available', async () => {
  server.fates.search = [{ code: 'UNAVAILABLE', retryAfterMs: 20 }];
  screen.next();
  await eventually(() => expect(screen.view.failure).toMatchObject({ code: 'UNAVAILABLE', of: 'search' }));
  expect(screen.view).toMatchObject({ phase: 'home', trouble: undefined });
  // Any timer of the page for these 20 ms began earlier than this one, and is over.
  await delay(40);
  expect(screen.view.phase).toBe('home');
});

it('stays in the chat when a busy server puts off the next one, and says so', async () => {
  await pair();
  server.fates.skip = [{ code: 'BUSY', retryAfterMs: 5000 }];
  screen.next();
  await eventually(() => expect(screen.view.failure).toMatchObject({ code: 'BUSY', of: 'skip' }));
  expect(screen.view).toMatchObject({ phase: 'chatting', trouble: undefined });
  expect(said.at(-1)).toBe(`${texts.failed.skip} ${texts.errors.BUSY} ${texts.canTryIn(5)}`);
});

describe('a chat that is being left', () => {
  it('goes on with all that was written meanwhile, if it cannot be left', async () => {
    const partner = await pair();
    await partner.send('one').delivered;
    await beginToLeave();
    expect(lines()).toEqual([texts.chatStarted, 'one', texts.youLeft]);
    await partner.send('two').delivered;
    expect(screen.view.phase).toBe('ended');
    refuse(partner, 'three');
    await eventually(() => expect(lines()).toEqual([texts.chatStarted, 'one', 'two', 'three']));
    expect(screen.view).toMatchObject({ phase: 'chatting', failure: { code: 'UNAVAILABLE', of: 'endChat' } });
  });

  it('shows nothing more when it was left', async () => {
    const partner = await pair();
    partner.send('too late');
    screen.stop();
    await eventually(() => expect(server.user(0).state).toBe('idle'));
    expect(await partner.search()).toBe('waiting');
    screen.next();
    await eventually(() => expect(screen.view.phase).toBe('chatting'));
    expect(lines()).toEqual([texts.chatStarted]);
  });

  it('ends as the partner has ended it, if it cannot be left', async () => {
    const partner = await pair();
    await beginToLeave();
    await partner.endChat();
    const other = open();
    const another = open();
    await Promise.all([other.search(), another.search()]);
    await eventually(() => expect(other.state).toBe('paired'));
    refuse(other, 'anything');
    await eventually(() => expect(lines()).toEqual([texts.chatStarted, texts.ends.end]));
    expect(screen.view).toMatchObject({ phase: 'ended', failure: undefined });
  });

  it('is on the screen when it began after the user had given up looking for it, in vain', async () => {
    screen.next();
    await eventually(() => expect(server.user(0).state).toBe('waiting'));
    await beginToLeave();
    const partner = open();
    await partner.search();
    await partner.send('hello').delivered;
    expect(screen.view).toMatchObject({ phase: 'home', entries: [] });
    refuse(partner, 'anybody?');
    await eventually(() => expect(lines()).toEqual([texts.chatStarted, 'hello', 'anybody?']));
    expect(screen.view).toMatchObject({ phase: 'chatting', sessionId: partner.session?.sessionId });
  });
});

describe('a command that fails', () => {
  const unavailable = { code: 'UNAVAILABLE', retryAfterMs: 5000 } as const;

  it('is told in its own words, whatever else is the matter in the chat', async () => {
    await pair();
    server.fates.skip = [unavailable];
    server.fates.message = [unavailable];
    screen.send('hello');
    await eventually(() => expect(screen.view.trouble).toMatchObject({ of: 'messages' }));
    screen.next();
    await eventually(() => expect(screen.view).toMatchObject({ phase: 'chatting', failure: { of: 'skip' } }));
    // What was the matter before is told again when it is the matter again.
    expect(screen.view.trouble).toBeUndefined();
    expect(said.at(-1)).toBe(`${texts.failed.skip} ${texts.errors.UNAVAILABLE} ${texts.canTryIn(5)}`);
    screen.send('too long'.repeat(100));
    expect(screen.view).toMatchObject({ failure: { of: 'skip' }, trouble: { of: 'text' } });
    screen.tryAgain();
    await eventually(() => expect(server.user(0).state).toBe('waiting'));
    expect(screen.view).toMatchObject({ phase: 'searching', failure: undefined, trouble: undefined });
  });

  it('is not told to who has gone on to something else', async () => {
    await pair();
    server.fates.skip = [unavailable];
    screen.next();
    screen.stop();
    await eventually(() => expect(chats[0]?.state).toBe('idle'));
    expect(screen.view).toMatchObject({ phase: 'home', failure: undefined });
    expect(said).not.toContainEqual(expect.stringContaining(texts.errors.UNAVAILABLE));
  });

  it('is not told if it was carried out all the same, and a chat began', async () => {
    await eventually(() => expect(screen.view.connection).toBe('connected'));
    server.fates.search = ['refused after a message'];
    screen.next();
    await eventually(() => expect(server.count('search')).toBe(1));
    server.user(0).socket?.emit('matched', { sessionId: 'next', startedAt: 1 });
    await eventually(() => expect(screen.view.phase).toBe('chatting'));
    const other = open();
    const another = open();
    await Promise.all([other.search(), another.search()]);
    await eventually(() => expect(other.state).toBe('paired'));
    refuse(other, 'anything');
    // It waits for the search.
    await chats[0]?.endChat();
    expect(screen.view.failure).toBeUndefined();
    expect(said).not.toContainEqual(expect.stringContaining(texts.failed.search));
  });

  it('is not told any more when the chat is over', async () => {
    const partner = await pair();
    server.fates.skip = [unavailable];
    screen.next();
    await eventually(() => expect(screen.view.failure).toBeDefined());
    await partner.endChat();
    await eventually(() => expect(screen.view).toMatchObject({ phase: 'ended', failure: undefined }));
  });
});

describe('what is written and not sent', () => {
  it('is there as long as its chat is on the screen, and in no other', async () => {
    const partner = await pair();
    screen.draft = 'half a sent';
    server.fates.skip = [{ code: 'UNAVAILABLE' }];
    screen.next();
    await eventually(() => expect(screen.view).toMatchObject({ phase: 'chatting', failure: { of: 'skip' } }));
    expect(screen.draft).toBe('half a sent');
    await partner.endChat();
    await eventually(() => expect(screen.view.phase).toBe('ended'));
    expect(screen.draft).toBe('half a sent');
    await partner.search();
    screen.next();
    await eventually(() => expect(screen.view.phase).toBe('chatting'));
    expect(screen.draft).toBe('');
  });
});

it('takes the chat back once, however often it is told to', async () => {
  await eventually(() => expect(screen.view.connection).toBe('connected'));
  screen.handOver();
  expect(screen.view.closed).toBe('REPLACED');
  await Promise.all([screen.reconnect(), screen.reconnect()]);
  await screen.reconnect();
  expect(askTwins).toHaveBeenCalledTimes(1);
  expect(chats).toHaveLength(2);
});
