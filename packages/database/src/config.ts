/** The database that DATABASE_URL names. Throws an error that says what to do when it is not set. */
export function readDatabaseUrl(env: NodeJS.ProcessEnv = process.env): string {
  if (env.DATABASE_URL) return env.DATABASE_URL;
  throw new Error(
    'DATABASE_URL is not set. Set it to the database to migrate: postgres://user:password@host:5432/name',
  );
}
