import { randomUUID } from 'node:crypto';
import { Client } from 'pg';

export interface TemporaryDatabase {
  url: string;
  /** Runs one statement on a connection of its own. */
  query<Row>(sql: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/** An empty database of its own on the test server, TEST_DATABASE_URL. */
export async function createTemporaryDatabase(): Promise<TemporaryDatabase> {
  const serverUrl = process.env.TEST_DATABASE_URL;
  if (!serverUrl) throw new Error('TEST_DATABASE_URL is not set; run the tests with: npm test');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await queryAt(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = name;
  return {
    url: url.href,
    query: (sql, values) => queryAt(url.href, sql, values),
    drop: async () => {
      await queryAt(serverUrl, `DROP DATABASE ${name}`);
    },
  };
}

async function queryAt<Row>(url: string, sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows as Row[];
  } finally {
    await client.end();
  }
}
