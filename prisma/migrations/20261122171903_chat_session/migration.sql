-- CreateTable
CREATE TABLE "ChatSession" (
    "id" UUID NOT NULL,
    "userA" TEXT NOT NULL,
    "userB" TEXT NOT NULL,
    "startedAt" TIMESTAMPTZ(3) NOT NULL,
    "endedAt" TIMESTAMPTZ(3),
    "endReason" TEXT,
    "messages" INTEGER,

    CONSTRAINT "ChatSession_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "ChatSession_startedAt_idx" ON "ChatSession"("startedAt");

-- CreateIndex
CREATE INDEX "ChatSession_endedAt_idx" ON "ChatSession"("endedAt");

-- CreateIndex
CREATE INDEX "ChatSession_userA_idx" ON "ChatSession"("userA");

-- CreateIndex
CREATE INDEX "ChatSession_userB_idx" ON "ChatSession"("userB");
