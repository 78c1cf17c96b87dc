import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { eventually } from '../../../tests/support/eventually.ts';
import { Attacker } from '../src/hostile/attacker.ts';
import { attacks } from '../src/hostile/attacks.ts';
import { loopbackOnly } from '../src/hostile/loopback-only.ts';
import { seededRandom } from '../src/random.ts';

const bytesOfConnection = 164;

/** Keeps what comes, answers with what it is told to. */
class Target {
  readonly port: number;
  readonly got: string[] = [];
  readonly from: (string | undefined)[] = [];
  readonly #server: Server;

  private constructor(server: Server, answer: string) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', socket => {
      const index = this.from.push(socket.remoteAddress) - 1;
      socket.on('error', () => undefined);
      socket.on('data', data => {
        this.got[index] = (this.got[index] ?? '') + String(data);
        if (answer) socket.write(answer);
      });
    });
  }

  static async start(answer = ''): Promise<Target> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Target(server, answer);
  }

  async stop(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}

let target: Target;

function attacker(packets: number, { to = '127.0.0.1' } = {}): Attacker {
  const random = seededRandom(1);
  return new Attacker({ random, address: '127.0.0.66', target: to, port: target.port, packets, ms: 180_000 });
}

afterEach(() => target.stop());

describe('an attacker', () => {
  it('attacks nothing but this machine', async () => {
    target = await Target.start();
    for (const address of ['127.0.0.1', '127.255.0.9', '::1']) expect(loopbackOnly(address)).toBe(address);
    for (const address of [
      '10.0.0.1',
      '0.0.0.0',
      '128.0.0.1',
      '::',
      'localhost',
      '127.0.0.1.example.org',
      '127.1',
      '',
    ]) {
      expect(() => loopbackOnly(address)).toThrow('Hostile traffic goes only to');
      await expect(attacker(1, { to: address }).open()).rejects.toThrow('Hostile traffic goes only to');
    }
    expect(target.from).toEqual([]);
  });

  it('counts what it sends, from one address, and stops', async () => {
    target = await Target.start('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    const one = attacker(30);
    await attacks['http-healthz']?.(one);
    const requests = one.tally.packets - one.tally.connections;
    // Those that were under way are brought to an end.
    expect(requests + one.tally.connections).toBeGreaterThanOrEqual(30);
    expect(requests + one.tally.connections).toBeLessThanOrEqual(40);
    const sent = target.got.join('');
    expect(one.tally.bytes).toBe(sent.length + bytesOfConnection * one.tally.connections);
    expect(sent.split('GET /healthz').length - 1).toBe(requests);
    expect(new Set(target.from)).toEqual(new Set(['127.0.0.66']));
    expect(await one.finish(0)).toBe(0);
  });

  it('knows how many connections were neither answered nor closed', async () => {
    target = await Target.start();
    const one = attacker(1000);
    const attack = attacks['http-healthz']?.(one);
    // All ten wait for an answer until it is stopped.
    await eventually(() => expect(target.got.filter(text => text !== undefined)).toHaveLength(10));
    one.stop();
    await attack;
    expect(await one.finish(0)).toBe(10);
  });

  it('does the same again with the same seed', async () => {
    const texts: string[] = [];
    for (let n = 0; n < 2; n++) {
      target = await Target.start('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
      const one = attacker(200);
      const wire = await one.open();
      // One after the other, for ten at once take turns as they are answered.
      for (let k = 0; k < 20; k++) await wire.ask(`${one.random.whole(0, 1e9)} `);
      await one.finish(0);
      texts.push(target.got.join(''));
      if (n === 0) await target.stop();
    }
    expect(texts[0]).toMatch(/^(\d+ ){20}$/);
    expect(texts[1]).toBe(texts[0]);
  });
});
