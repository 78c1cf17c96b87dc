import express, { type Express } from 'express';
import type { Metrics } from './metrics.ts';

/** What a supervisor asks: alive (/healthz), recording now (/readyz), and the metrics (/metrics). */
export function createStatusApp(isReady: () => boolean, metrics: Metrics): Express {
  const app = express().disable('x-powered-by');
  app.get('/healthz', (_request, response) => void response.json({ status: 'alive' }));
  app.get('/readyz', (_request, response) => {
    const ready = isReady();
    response.status(ready ? 200 : 503).json({ status: ready ? 'recording' : 'not recording' });
  });
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  return app;
}
