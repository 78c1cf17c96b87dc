#!/usr/bin/env node
// Stands in for Prisma's schema engine binary, which would be a download: the same engine as WebAssembly, behind the same
// command line and the same JSON-RPC on standard input and output. With PRISMA_SCHEMA_ENGINE_BINARY set to this file,
// `prisma migrate deploy` and `status` run anywhere, and `diff` between schema files. It cannot look into a PostgreSQL 18.
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { datasource: { type: 'string' }, datamodels: { type: 'string', multiple: true } },
});
const { url } = JSON.parse(values.datasource ?? '{}');

const wasmFile = new URL('./schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
const { instance } = await WebAssembly.instantiate(await readFile(fileURLToPath(wasmFile)), {
  './schema_engine_bg.js': engineModule,
});
engineModule.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

// The engine reads catalog columns of the type "char" (18), which the adapter does not know: they pass as text (25).
const { query } = pg.Pool.prototype;
pg.Pool.prototype.query = async function queryCatalog(...args) {
  const result = await query.apply(this, args);
  for (const field of result.fields ?? []) if (field.dataTypeID === 18) field.dataTypeID = 25;
  return result;
};

// In parts: with a connection string, the adapter would take the real database for the shadow one, and `dev` spoil it.
const { hostname, port, username, password, pathname } = new URL(url ?? 'postgres://localhost');
const database = {
  host: decodeURIComponent(hostname),
  port: Number(port || 5432),
  user: decodeURIComponent(username),
  password: decodeURIComponent(password),
  database: pathname.slice(1),
};
const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg(database));
const readModel = async path => [path, await readFile(path, 'utf8')];
// The engine wants no list rather than an empty one.
const datamodels = values.datamodels && (await Promise.all(values.datamodels.map(readModel)));
const engine = await engineModule.SchemaEngine.new({ datamodels }, () => {}, adapter);
const calls = { getDatabaseVersion: 'version' };
const send = message => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

if (positionals[0] === 'cli') process.exit(0);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (!method) continue; // the client's receipt for a `print`
  try {
    const result = (await engine[calls[method] ?? method](params)) ?? {};
    if (method === 'diff' && result.stdout)
      send({ id: `print-${id}`, method: 'print', params: { content: result.stdout } });
    send({ id, result });
  } catch ({ message, code }) {
    send({ id, error: { code: 4466, message, data: { is_panic: false, message, error_code: code } } });
  }
}
process.exit(0);
