import { applyMigrations } from './apply-migrations.ts';

// The migration step of a deployment: DATABASE_URL=... node packages/database/dist/migrate.js
const databaseUrl = process.env.DATABASE_URL;
if (!databaseUrl) {
  console.error('DATABASE_URL is not set. Set it to the database to migrate: postgres://user:password@host:5432/name');
  process.exit(1);
}

try {
  const applied = await applyMigrations(databaseUrl);
  console.log(applied.length > 0 ? `Applied ${applied.join(', ')}.` : 'The database is up to date.');
} catch (error) {
  console.error(`The database was not migrated. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
