-- DropIndex
DROP INDEX "ChatSession_endedAt_idx";

-- AlterTable
ALTER TABLE "ChatSession" ADD COLUMN     "pool" TEXT;

-- CreateIndex
CREATE INDEX "ChatSession_endedAt_id_idx" ON "ChatSession"("endedAt", "id");
