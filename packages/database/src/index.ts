export { applyMigrations } from './apply-migrations.ts';
export { PrismaSessionLog } from './prisma-session-log.ts';
