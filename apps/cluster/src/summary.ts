import { relative } from 'node:path';
import type { ClusterParts } from './cluster.ts';
import type { Config } from './config.ts';

/** The table that a newcomer sees: what runs, where, and how to reach the database. */
export function summary(parts: ClusterParts, config: Config): string {
  const here = (path: string) => relative(process.cwd(), path) || '.';
  const database = new URL(parts.databaseUrl);
  const password = parts.passwordFile ? `$(cat ${here(parts.passwordFile)})` : '…';
  const at = (port: number, path = '') => `http://localhost:${port}${path}`;
  const publicUrl = `http://${config.localHost}:${parts.publicPort}`;
  const reach =
    config.host === undefined
      ? 'Other machines reach the public address, too; HOST=127.0.0.1 npm start keeps it to this one.'
      : `The public address listens on ${config.host}.`;
  const rows = [
    ['public address', publicUrl],
    ...parts.nodePorts.map((port, index) => [`chat node ${index + 1}`, at(port)]),
    ['recorder', at(parts.recorderPort, '/metrics')],
    ['status page', at(parts.nodePorts[0] ?? 0, '/status')],
    ['Redis', `redis://${new URL(parts.redisUrl).host}`],
    ['PostgreSQL', `postgresql://${database.host}${database.pathname}`],
  ];
  const address = `"postgresql://${database.username}:${password}@${database.host}${database.pathname}"`;
  return `
Passerby runs. Open ${publicUrl} in two browser tabs and chat.

${rows.map(([name = '', where = '']) => `  ${name.padEnd(16)}${where}`).join('\n')}

${reach} Everything else is for this machine alone.

  Admin token:    ${parts.adminTokenFile ? `cat ${here(parts.adminTokenFile)}` : 'as ADMIN_TOKEN says'}; the status page asks for it
  Database:       psql ${address}
                  DATABASE_URL=${address} npx prisma studio
  Logs:           ${here(config.dataDir)}/logs/*.log
  Data:           stays in ${here(config.dataDir)}
  Stop:           Ctrl-C
`;
}
