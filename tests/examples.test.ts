import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import getPort from 'get-port';
import { withoutOrphan } from '../apps/cluster/src/server-process.ts';
import { ChatClient } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { eventually } from './support/eventually.ts';
import { RedisPool } from './support/redis-pool.ts';

/** One of the examples, as somebody runs it without a terminal. */
class Example {
  readonly process: ChildProcess;
  readonly said: string[] = [];
  errors = '';

  constructor(name: string, url: string) {
    this.process = spawn(...withoutOrphan(process.execPath, [`examples/${name}.mjs`, url]), {
      env: { PATH: process.env.PATH, PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN },
    });
    if (this.process.stdout) createInterface(this.process.stdout).on('line', line => this.said.push(line));
    this.process.stderr?.on('data', chunk => {
      this.errors += chunk;
    });
    running.push(this);
  }

  type(...lines: string[]): void {
    for (const line of lines) this.process.stdin?.write(`${line}\n`);
  }

  /** Resolves when it says this next, leaving out what it says before. */
  async says(line: string): Promise<void> {
    await eventually(() => expect(this.said).toContain(line));
    this.said.splice(0, this.said.indexOf(line) + 1);
  }

  /** @returns the exit code, when it has ended and all that it said is there */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    const closed = once(this.process, 'close');
    if (signal) this.process.kill(signal);
    const [code] = await closed;
    return code;
  }
}

const greeting = 'Stranger: Hello! I am a bot and repeat what you say.';
const pool = new RedisPool();
let running: Example[] = [];
let nodes: ChatProcess[];

beforeAll(async () => {
  nodes = await Promise.all([ChatProcess.start(pool), ChatProcess.start(pool)]);
});

afterEach(async () => {
  await Promise.all(running.filter(({ process }) => process.exitCode === null).map(each => each.end('SIGTERM')));
  expect(running.map(({ errors }) => errors)).toEqual(running.map(() => ''));
  running = [];
  await pool.untilEmpty();
});

afterAll(async () => {
  await Promise.all(nodes.map(node => node.stop()));
  await pool.close();
});

const start = (name: string, node: number) => new Example(name, nodes[node]?.url ?? '');

describe('the bot and the terminal chat, on two nodes', () => {
  it('talk, part with the reason, and meet again', async () => {
    const bot = start('echo-bot', 0);
    const chat = start('terminal-chat', 1);
    await chat.says('* You have a partner. Say hello!');
    await chat.says(greeting);
    chat.type('How do you do?', '/what');
    await chat.says('* /next finds another partner, /end ends the chat, /quit leaves.');
    await eventually(() => expect(chat.said).toContain('Stranger: You said: How do you do?'));
    await chat.says('* Delivered: How do you do?');

    chat.type('/next');
    await chat.says(greeting);
    chat.type('/end', 'Is anybody there?');
    await chat.says('* You are idle. /next finds another partner, /end ends the chat, /quit leaves.');
    await chat.says('* You are not in a chat.');

    chat.type('/next');
    await chat.says(greeting);
    expect(await bot.end('SIGTERM')).toBe(0);
    await chat.says('* Your partner has left. /next finds another partner, /end ends the chat, /quit leaves.');
    chat.type('/quit');
    expect(await chat.end()).toBe(0);
    expect(chat.said).toEqual(['* Goodbye.']);
  });
});

describe('the terminal chat', () => {
  it('says when nobody answers, and goes on trying', async () => {
    const port = await getPort();
    const chat = new Example('terminal-chat', `http://127.0.0.1:${port}`);
    await chat.says(`* Nobody answers at http://127.0.0.1:${port} so far; still trying. \`npm start\` runs a server.`);
    expect(await chat.end('SIGTERM')).toBe(0);
  });

  it('keeps the lines of a file until there is a partner, and ends when they are delivered', async () => {
    const chat = start('terminal-chat', 0);
    chat.type('one', 'two');
    chat.process.stdin?.end();
    await chat.says('* Looking for a partner …');
    start('echo-bot', 1);
    expect(await chat.end()).toBe(0);
    expect(chat.said.filter(line => line.startsWith('* Delivered'))).toEqual(['* Delivered: one', '* Delivered: two']);
  });

  it('tells in words that the partner writes, is away and is back', async () => {
    const chat = start('terminal-chat', 0);
    await chat.says('* Looking for a partner …');
    const ann = await ChatClient.connect(nodes[1]?.url ?? '', { auth: { resume: true }, reconnection: false });
    const { token } = await ann.next('welcome');
    await ann.ask('search');
    const { sessionId } = await ann.next('matched');
    ann.tell('typing', { sessionId, typing: true });
    await chat.says('* Your partner is writing …');
    ann.tell('message', 'a\n* Your partner has left.');
    await chat.says('Stranger: a');
    await chat.says('          * Your partner has left.');
    ann.socket.io.engine.close();
    await chat.says('* Your partner has lost the connection for a moment.');
    const again = await ChatClient.connect(nodes[0]?.url ?? '', { auth: { resume: token } });
    await chat.says('* Your partner is back.');
    // Ctrl-C: the partner learns of it at once, and not after the grace time.
    expect(await chat.end('SIGINT')).toBe(0);
    expect(await again.next('partner_left')).toEqual({ sessionId, reason: 'disconnect' });
    for (const client of [ann, again]) client.close();
  });
});
