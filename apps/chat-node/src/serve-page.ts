import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import type { RequestHandler } from 'express';

/** In the order in which they are preferred, with what the build puts behind a file's name. */
const encodings = [
  { encoding: 'br', suffix: '.br' },
  { encoding: 'gzip', suffix: '.gz' },
];

/** What is sent of a file in one encoding. */
interface Form {
  encoding: string | undefined;
  body: Buffer;
  /** The file's extension, which tells its type. */
  type: string;
  etag: string;
}

/**
 * Serves the files of a folder as they are at this moment, compressed where there is a compressed one. They are kept in
 * memory, as the page and what it is made of belong together: a build that replaces them changes nothing here.
 */
export function servePage(folder: string): RequestHandler {
  const files = readFiles(folder);
  return (request, response, next) => {
    const path = request.path.endsWith('/') ? `${request.path}index.html` : request.path;
    const forms = files.get(path);
    if (!forms || (request.method !== 'GET' && request.method !== 'HEAD')) return next();
    const accepted = request.acceptsEncodings();
    const form = forms.find(({ encoding }) => encoding === undefined || accepted.includes(encoding));
    if (!form) return next();
    // The names of the files in `assets` tell their contents: those may be kept for ever, and the page itself must be asked for.
    const lasting = path.startsWith('/assets/');
    response.set({
      'Cache-Control': lasting ? 'public, max-age=31536000, immutable' : 'no-cache',
      ETag: form.etag,
      Vary: 'Accept-Encoding',
      ...(form.encoding && { 'Content-Encoding': form.encoding }),
    });
    // Express itself says so only to who does not ask with `no-cache`.
    if (request.headers['if-none-match'] === form.etag) response.status(304);
    response.type(form.type).send(form.body);
  };
}

/** By the path of a file: its forms, the best first, and the plain one last. */
function readFiles(folder: string): Map<string, Form[]> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name));
  const files = new Map<string, Form[]>();
  for (const path of paths) {
    if (encodings.some(({ suffix }) => path.endsWith(suffix))) continue;
    const packed = encodings.filter(({ suffix }) => paths.includes(path + suffix));
    const forms = [...packed, { encoding: undefined, suffix: '' }].map(({ encoding, suffix }) => {
      const body = readFileSync(path + suffix);
      return {
        encoding,
        body,
        type: extname(path),
        etag: `"${createHash('sha256').update(body).digest('base64url')}"`,
      };
    });
    files.set(`/${relative(folder, path).replaceAll(sep, '/')}`, forms);
  }
  return files;
}
