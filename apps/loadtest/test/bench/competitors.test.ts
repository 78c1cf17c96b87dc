import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PairOfClients } from '../../src/bench/pair-of-clients.ts';
import { type Competitor, Servers } from '../../src/bench/servers.ts';

let dir: string;
let servers: Servers;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'passerby-bench-test-'));
  servers = new Servers(dir);
});

afterAll(async () => {
  await servers.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('what Passerby is compared with', () => {
  it.each<[Competitor, number]>([
    ['bare', 1],
    ['channels', 2],
    ['classic', 2],
    ['sharded', 2],
  ])(
    '%s relays between two clients, and to nobody else',
    async (kind, nodes) => {
      const { ports, pairing } = await servers.competitor(kind, { nodes });
      const [first = 0, second = first] = ports;
      const pairs = await Promise.all(['1', '2'].map(name => PairOfClients.connect(name, [first, second], pairing)));
      try {
        // A client that gets the text of another pair, or any text twice, calls onFault.
        for (const from of [0, 1, 0] as const) {
          await Promise.all(
            pairs.map(
              pair =>
                new Promise<void>((resolve, reject) => {
                  pair.onFault = reject;
                  pair.onMessage = sender => (sender === from ? resolve() : reject(new Error('The wrong side.')));
                  pair.send(from);
                }),
            ),
          );
        }
      } finally {
        for (const pair of pairs) pair.close();
      }
    },
    120_000,
  );
});
