import { rm } from 'node:fs/promises';
import setUpServers from '../../support/global-setup.ts';

/** Besides the servers: no screenshot of an earlier run stays. */
export default async function setUp(
  _all: unknown,
  { globals }: { globals: { screenshotFolder: string } },
): Promise<void> {
  await rm(globals.screenshotFolder, { recursive: true, force: true });
  await setUpServers();
}
