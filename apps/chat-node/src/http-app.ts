import express, { type ErrorRequestHandler, type Express, type Router } from 'express';
import helmet from 'helmet';
import type { Metrics } from './metrics.ts';

export interface HttpAppOptions {
  /** Whether users can be taken now. */
  isReady: () => boolean;
  metrics: Metrics;
  /** The folder whose files are served at `/`. */
  pageFolder: string;
  /** Served below `/admin`. Without it there is nothing there. */
  admin?: Router;
}

/** What a node answers over plain HTTP: the page, whether it is well, and its figures. */
export function createHttpApp({ isReady, metrics, pageFolder, admin }: HttpAppOptions): Express {
  const app = express();
  app.use(
    helmet({
      // TLS ends at the load balancer, which also decides about HTTPS.
      contentSecurityPolicy: { directives: { 'upgrade-insecure-requests': null } },
      strictTransportSecurity: false,
    }),
  );
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'alive' });
  });
  app.get('/readyz', (_request, response) => {
    const ready = isReady();
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready' });
  });
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  if (admin) app.use('/admin', admin);
  app.use(express.static(pageFolder));
  app.use((_request, response) => {
    response.status(404).json({ error: 'There is nothing here.' });
  });
  app.use(answerError);
  return app;
}

/** Express itself would answer with a page that shows where in the code it happened, and write to stderr. */
const answerError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) return next(error);
  const { status = 500, message }: { status?: number; message: string } = error;
  response.status(status).json({ error: status < 500 ? message : 'This could not be answered.' });
};
