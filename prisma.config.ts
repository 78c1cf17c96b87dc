import { defineConfig } from 'prisma/config';

// `prisma generate` needs no database, and the commands that do say so when the address is empty.
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
});
