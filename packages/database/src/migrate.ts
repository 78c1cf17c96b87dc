import { applyMigrations } from './apply-migrations.ts';
import { readDatabaseUrl } from './config.ts';

// The migration step of a deployment: DATABASE_URL=... node packages/database/dist/migrate.js
try {
  const applied = await applyMigrations(readDatabaseUrl());
  console.log(applied.length > 0 ? `Applied ${applied.join(', ')}.` : 'The database is up to date.');
} catch (error) {
  console.error(`The database was not migrated. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
