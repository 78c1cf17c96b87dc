import { SocketClients } from '../src/socket-clients.ts';
import type { ChatServer, ChatSocket } from '../src/socket-server.ts';

/** What happened to sockets, in order. */
let story: string[];

function newSocket(id: string): ChatSocket {
  return {
    id,
    join: () => undefined,
    emit: (event: string) => story.push(`${event} ${id}`),
    disconnect: () => story.push(`disconnect ${id}`),
    conn: {
      close: () => story.push(`close ${id}`),
      write: () => story.push(`write ${id}`),
      writeBuffer: [],
      transport: {},
    },
  } as unknown as ChatSocket;
}

function newClients(count: number): { clients: SocketClients; sockets: ChatSocket[] } {
  const sockets = Array.from({ length: count }, (_, i) => newSocket(`s${i}`));
  const io = { sockets: { sockets: new Map(sockets.map(socket => [socket.id, socket])) } } as unknown as ChatServer;
  const clients = new SocketClients(io);
  for (const [i, socket] of sockets.entries()) clients.attach(`u${i}`, socket);
  return { clients, sockets };
}

const closed = () => story.filter(each => each.startsWith('close '));

beforeEach(() => {
  jest.useFakeTimers();
  story = [];
});

afterEach(() => {
  jest.useRealTimers();
});

describe('closing all connections', () => {
  it('of a few is done at once', () => {
    const { clients } = newClients(3);
    clients.closeAll([]);
    expect(closed()).toEqual(['close s0', 'close s1', 'close s2']);
  });

  it('of many is spread, a few in each turn, those in a chat first, and ends within ten seconds', async () => {
    const { clients } = newClients(10_000);
    clients.closeAll(['u9999', 'u5000']);
    expect(closed().slice(0, 3)).toEqual(['close s9999', 'close s5000', 'close s0']);
    expect(closed()).toHaveLength(100);
    await jest.advanceTimersByTimeAsync(5000);
    expect(closed().length).toBeGreaterThan(4000);
    expect(closed().length).toBeLessThan(6000);
    await jest.advanceTimersByTimeAsync(5000);
    expect(new Set(closed()).size).toBe(10_000);
    expect(closed()).toHaveLength(10_000);
  });

  it('says nothing more to any of them from the first moment on', () => {
    const { clients, sockets } = newClients(200);
    clients.closeAll([]);
    for (let i = 0; i < 200; i++) clients.emit(`u${i}`, 'missed', { sessionId: 's' });
    expect(story.filter(each => each.startsWith('write'))).toEqual([]);
    expect(sockets.map((socket, i) => clients.detach(`u${i}`, socket))).not.toContain(true);
  });

  it('ends a connection at once whose user comes back on another one', () => {
    const { clients, sockets } = newClients(200);
    clients.closeAll([]);
    story = [];
    const next = newSocket('next');
    clients.attach('u199', next);
    expect(story).toEqual(['error s199', 'disconnect s199']);
    clients.emit('u199', 'missed', { sessionId: 's' });
    expect(story.at(-1)).toBe('write next');
    // The end of the old one is not the end of the new one.
    expect(sockets[199] && clients.detach('u199', sockets[199])).toBe(false);
    clients.attach('u199', next);
    expect(story.at(-1)).toBe('write next');
    expect(clients.detach('u199', next)).toBe(true);
  });
});
