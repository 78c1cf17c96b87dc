import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adminTokenFrom } from '../src/admin-token.ts';
import { temporaryDir } from './temporary-dir.ts';

describe('the admin token of a local cluster', () => {
  it('is made once, long enough for the nodes, and only its owner can read it', async () => {
    const file = join(await temporaryDir(), 'new', 'admin-token');
    const token = await adminTokenFrom(file);
    expect(token.length).toBeGreaterThanOrEqual(16);
    expect(await adminTokenFrom(file)).toBe(token);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('is what somebody wrote there', async () => {
    const file = join(await temporaryDir(), 'admin-token');
    await writeFile(file, 'of my own choice\n');
    expect(await adminTokenFrom(file)).toBe('of my own choice');
  });
});
