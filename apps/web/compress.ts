import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

/** Writes each file of the build in its compressed forms too, and fails when all together have become too large. */
export function compress({ budgetBytes }: { budgetBytes: number }): Plugin {
  let folder = '';
  return {
    name: 'compress',
    apply: 'build',
    configResolved: ({ root, build }) => {
      folder = join(root, build.outDir);
    },
    closeBundle: {
      order: 'post',
      handler: async () => {
        const files = (await readdir(folder, { recursive: true })).filter(name => /\.(html|js|css|svg)$/.test(name));
        let total = 0;
        for (const file of files.sort()) {
          const { plain, brotli } = await compressFile(join(folder, file));
          total += brotli;
          console.log(`${file.padEnd(32)} ${size(plain)}, with brotli ${size(brotli)}`);
        }
        console.log(`${'all'.padEnd(32)} with brotli ${size(total)} of ${size(budgetBytes)}`);
        if (total > budgetBytes) {
          throw new Error(
            `The page has become too large: ${size(total)} with brotli, and ${size(budgetBytes)} are allowed.`,
          );
        }
      },
    },
  };
}

async function compressFile(path: string): Promise<{ plain: number; brotli: number }> {
  const content = await readFile(path);
  // Both take the best quality where none is given, as nobody waits for it.
  const [brotli, gzipped] = await Promise.all([
    promisify(brotliCompress)(content),
    promisify(gzip)(content, { level: 9 }),
  ]);
  await Promise.all([writeFile(`${path}.br`, brotli), writeFile(`${path}.gz`, gzipped)]);
  return { plain: content.length, brotli: brotli.length };
}

function size(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
