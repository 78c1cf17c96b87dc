import { type Chat, type ChatEvents, type ChatOptions, type ChatStorage, connect } from '../src/index.ts';
import { FakeServer } from './fake-server.ts';

/** A chat that remembers what it told. */
export class Witness {
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

/** A server for each test of a file, and chats that are closed after it. */
export class ChatStage {
  #server: FakeServer | undefined;
  #chats: Chat[] = [];

  /** To be made outside of the tests: it sets up, and cleans up, by itself. */
  constructor() {
    beforeEach(async () => {
      this.#server = await FakeServer.start();
    });
    afterEach(async () => {
      for (const chat of this.#chats.splice(0)) chat.close();
      await this.#server?.stop();
    });
  }

  get server(): FakeServer {
    if (!this.#server) throw new Error('The server has not started yet.');
    return this.#server;
  }

  open(options: ChatOptions = {}): Witness {
    const chat = connect(this.server.url, {
      ...options,
      socketOptions: { transports: ['websocket'], ...options.socketOptions },
    });
    this.#chats.push(chat);
    return new Witness(chat);
  }

  /** Two who are in a chat with each other, and were told nothing yet. */
  async pair(options: ChatOptions = {}): Promise<[Witness, Witness]> {
    const first = this.open(options);
    await first.connected();
    const second = this.open();
    await second.connected();
    await first.chat.search();
    await second.chat.search();
    await Promise.all([first.next('matched'), second.next('matched')]);
    first.told.length = 0;
    second.told.length = 0;
    return [first, second];
  }
}

export function memoryStorage(): ChatStorage & { items: Map<string, string> } {
  const items = new Map<string, string>();
  return {
    items,
    getItem: key => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: key => void items.delete(key),
  };
}
