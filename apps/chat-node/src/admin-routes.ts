import { createHash, timingSafeEqual } from 'node:crypto';
import { cleanText } from '@passerby/protocol';
import express, { type RequestHandler, type Router } from 'express';
import type { PoolWatch } from './pool-watch.ts';
import type { ChatServer } from './socket-server.ts';

const maxAnnouncementCharacters = 500;

export interface AdminRoutesOptions {
  io: ChatServer;
  watch: Pick<PoolWatch, 'read' | 'samplesSince'>;
  adminToken: string;
}

/** What an operator can see and do, on every node for all of them, with the admin token as bearer token. */
export function adminRoutes({ io, watch, adminToken }: AdminRoutesOptions): Router {
  const router = express.Router();
  router.use(requireToken(adminToken), express.json({ limit: '8kb' }));

  router.post('/announcements', (request, response) => {
    const raw: unknown = request.body?.message;
    const message = typeof raw === 'string' ? cleanText(raw, maxAnnouncementCharacters) : undefined;
    if (message === undefined) {
      response.status(400).json({ error: `message must be a text of 1 to ${maxAnnouncementCharacters} characters.` });
      return;
    }
    io.emit('announcement', { message, at: Date.now() });
    response.status(202).end();
  });

  router.get('/status', async (request, response) => {
    response.set('cache-control', 'no-store');
    const since = Number(request.query.since ?? 0);
    try {
      const pool = await watch.read();
      response.json({ ...pool, samples: watch.samplesSince(Number.isFinite(since) ? since : 0) });
    } catch {
      response.status(503).json({ error: 'Redis cannot be reached.' });
    }
  });

  router.delete('/users/:userId', (request, response) => {
    // A user's id is the room of the user's socket. `true` also closes the connection under it.
    io.in(request.params.userId).disconnectSockets(true);
    response.status(202).end();
  });
  return router;
}

function requireToken(token: string): RequestHandler {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${token}`);
  return (request, response, next) => {
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) next();
    else response.status(401).json({ error: 'The admin token is missing or wrong.' });
  };
}
