export { applyMigrations } from './apply-migrations.ts';
export { PrismaSessionLog } from './prisma-session-log.ts';
export { RefusedFactsError } from './refused-facts-error.ts';
