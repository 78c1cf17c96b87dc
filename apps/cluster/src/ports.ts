import { once } from 'node:events';
import { createServer } from 'node:net';
import getPort from 'get-port';
import type { PortChoice } from './config.ts';

/**
 * Makes sure that nobody listens on these ports.
 * @throws Error that names the first one that cannot be had, and what to do.
 */
export async function requireFree(ports: readonly number[], host: string | undefined): Promise<void> {
  for (const port of ports) {
    const code = await whyNot(port, host);
    if (code === undefined) continue;
    const range = ports.length > 1 ? ` (this cluster needs all from ${ports[0]} to ${ports.at(-1)})` : '';
    if (code === 'EADDRINUSE') {
      throw new Error(
        `Port ${port} is taken by another program${range}. Stop that one, or use other ports: PORT=4000 npm start`,
      );
    }
    if (code === 'EACCES') {
      throw new Error(`Only root may open port ${port}. Use ports above 1023: PORT=4000 npm start`);
    }
    throw new Error(
      `Port ${port} cannot be opened on ${host ?? 'this machine'} (${code}). Set HOST to an address of this machine, or leave it unset.`,
    );
  }
}

/** The port that was asked for, or else, if it was only a suggestion, any free one. */
export async function choosePort({ port, fixed }: PortChoice, name: string): Promise<number> {
  const free = await getPort({ port, host: '127.0.0.1' });
  if (free === port || !fixed) return free;
  throw new Error(`Port ${port} is taken by another program. Choose another one with ${name}, or leave ${name} unset.`);
}

async function whyNot(port: number, host: string | undefined): Promise<string | undefined> {
  const server = createServer();
  try {
    await once(server.listen({ port, host }), 'listening');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    server.close();
  }
}
