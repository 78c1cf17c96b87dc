import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Router } from 'express';
import helmet from 'helmet';
import type { Metrics } from './metrics.ts';
import { servePage } from './serve-page.ts';

export interface HttpAppOptions {
  /** Whether users can be taken now. */
  isReady: () => boolean;
  /** Whether new users should rather go elsewhere. */
  isOverloaded: () => boolean;
  metrics: Metrics;
  /** The folder whose files are served at `/`. Read once. */
  pageFolder: string;
  /** For operators. Without it there is nothing at `/admin` and at `/status`. */
  admin?: {
    /** Served below `/admin`. */
    routes: Router;
    /** The folder whose files are served at `/status/`. The page there asks for the admin token. */
    pageFolder: string;
  };
}

/** The page is made of files of its own node, and talks with that node alone. */
const pagePolicy = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'"],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
  'require-trusted-types-for': ["'script'"],
  'trusted-types': ["'none'"],
};

/** What a node answers over plain HTTP: the page, whether it is well, and its figures. */
export function createHttpApp({ isReady, isOverloaded, metrics, pageFolder, admin }: HttpAppOptions): Express {
  const app = express();
  app.use(
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives: pagePolicy },
      // TLS ends at the load balancer, which also decides about HTTPS.
      strictTransportSecurity: false,
    }),
  );
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'alive' });
  });
  app.get('/readyz', (_request, response) => {
    const status = !isReady() ? 'not ready' : isOverloaded() ? 'overloaded' : 'ready';
    response.status(status === 'ready' ? 200 : 503).json({ status });
  });
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  if (admin) {
    app.use('/admin', admin.routes);
    app.use('/status', withSlash, servePage(admin.pageFolder));
  }
  app.use(servePage(pageFolder));
  app.use((_request, response) => {
    response.status(404).json({ error: 'There is nothing here.' });
  });
  app.use(answerError);
  return app;
}

/** The files of a page lie below it, wherever a proxy may put that. */
const withSlash: RequestHandler = ({ originalUrl }, response, next) => {
  const [path = '', query] = originalUrl.split('?', 2);
  if (path.endsWith('/') || path.includes('/', 1)) next();
  else response.redirect(308, `status/${query === undefined ? '' : `?${query}`}`);
};

/** Express itself would answer with a page that shows where in the code it happened, and write to stderr. */
const answerError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) return next(error);
  const { status = 500, message }: { status?: number; message: string } = error;
  response.status(status).json({ error: status < 500 ? message : 'This could not be answered.' });
};
