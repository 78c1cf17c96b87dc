import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, realpath } from 'node:fs/promises';
import { createServer } from 'node:net';

/**
 * Makes sure that one cluster at most uses a folder, until this process ends (however it ends: on Linux the lock is a
 * socket that has a name but no file, and so cannot be left behind). Elsewhere nothing is locked.
 * @returns whether the folder is ours now.
 */
export async function lockFolder(dir: string): Promise<boolean> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch(error => {
    throw new Error(`The folder ${dir} cannot be made (${error.code}). Set DATA_DIR to one that can.`);
  });
  if (process.platform !== 'linux') return true;
  const name = createHash('sha256')
    .update(await realpath(dir))
    .digest('hex');
  const lock = createServer(socket => socket.destroy());
  try {
    await once(lock.listen(`\0passerby-${name}`), 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  lock.unref();
  return true;
}
