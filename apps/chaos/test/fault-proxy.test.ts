import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { FaultProxy } from '../src/fault-proxy.ts';

let server: Server;
let proxy: FaultProxy;
/** What the server received, all connections together. */
let received = '';
const sockets: Socket[] = [];

/** Waits until it is so; what is asked about changes with every piece of data. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5));
}

/** `once` would reject at the error that comes before. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.once('close', () => resolve()));
}

function dial(): Socket & { text: string } {
  const socket = Object.assign(connect(proxy.port, '127.0.0.1'), { text: '' });
  sockets.push(socket);
  socket.on('error', () => {});
  socket.on('data', data => {
    socket.text += data;
  });
  return socket;
}

async function open(): Promise<Socket & { text: string }> {
  const socket = dial();
  await once(socket, 'connect');
  return socket;
}

/** Asks the server, and waits for its answer. */
async function ask(socket: Socket & { text: string }, said: string): Promise<void> {
  const before = socket.text.length;
  socket.write(said);
  await until(() => socket.text.length > before);
}

beforeEach(async () => {
  received = '';
  server = createServer(socket => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', data => {
      received += data;
      socket.write(`<${data}>`);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await FaultProxy.listen(() => (server.address() as AddressInfo | null)?.port);
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  proxy.close();
  server.close();
});

describe('FaultProxy', () => {
  it('passes on both ways, and the end', async () => {
    const socket = await open();
    await ask(socket, 'a');
    expect(socket.text).toBe('<a>');
    socket.end();
    await once(socket, 'close');
  });

  it('holds back what is said, and passes it on when healed', async () => {
    const socket = await open();
    await ask(socket, 'a');
    proxy.cut(['there'], { present: true });
    socket.write('held');
    // What a later connection says is passed on, so the other had its time, too.
    await ask(await open(), 'b');
    expect(received).toBe('ab');
    proxy.heal();
    await until(() => socket.text === '<a><held>');
  });

  it('holds back what later connections say', async () => {
    proxy.cut(['there']);
    const socket = await open();
    socket.write('held');
    expect(received).toBe('');
    proxy.heal();
    await until(() => socket.text === '<held>');
  });

  it('holds back the answers only', async () => {
    const socket = await open();
    proxy.cut(['back']);
    socket.write('a');
    await until(() => received === 'a');
    expect(socket.text).toBe('');
    proxy.heal();
    await until(() => socket.text === '<a>');
  });

  it('passes on late what was held on a connection that its sender has closed', async () => {
    const socket = await open();
    await ask(socket, 'a');
    proxy.cut(['there', 'back'], { present: true });
    socket.write('late');
    socket.destroy();
    const other = await open();
    await ask(other, 'b');
    expect(received).toBe('ab');
    proxy.heal();
    await until(() => received === 'ablate');
  });

  it('passes on what was held on a connection that it has reset for its sender', async () => {
    const socket = await open();
    await ask(socket, 'a');
    proxy.cut(['there'], { present: true });
    socket.write('held');
    await ask(await open(), 'b');
    proxy.abandon();
    await closed(socket);
    expect(received).toBe('ab');
    proxy.heal();
    await until(() => received === 'abheld');
  });

  it('refuses, and ends what is open', async () => {
    const socket = await open();
    await ask(socket, 'a');
    proxy.refuse();
    await closed(socket);
    await closed(dial());
    proxy.heal();
    await ask(await open(), 'b');
    expect(received).toBe('ab');
  });

  it('delays, in order', async () => {
    const socket = await open();
    await ask(socket, 'a');
    proxy.delay(50);
    socket.write('b');
    await ask(socket, 'c');
    await until(() => received === 'abc');
    expect(socket.text.startsWith('<a><b')).toBe(true);
  });
});
