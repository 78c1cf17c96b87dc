/** Where a pool lies in Redis. Docs: docs/redis-keys.md. */
export interface PoolLocation {
  /** What all keys and channels begin with. */
  prefix: string;
  pool: string;
}

/** The names of a pool's keys. All carry the pool's hash tag, so that they lie on one server of a Redis Cluster. */
export function poolKeys({ prefix, pool }: PoolLocation) {
  const key = (name: string) => `${prefix}:{${pool}}:${name}`;
  return {
    users: key('users'),
    queue: key('queue'),
    leases: key('leases'),
    outbox: key('outbox'),
    away: key('away'),
    epoch: key('epoch'),
    refused: key('refused'),
    nodes: key('nodes'),
    recorder: key('recorder'),
    members: (nodeId: string) => key(`members:${nodeId}`),
  };
}

/** What the channel of every node begins with; the node's id follows. */
export function nodeChannelPrefix(prefix: string): string {
  return `${prefix}:node:`;
}
