import { rm } from 'node:fs/promises';
import setUpServers from '../../support/global-setup.ts';
import { screenshotFolder } from './screenshot-folder.mjs';

/** Besides the servers: no screenshot of an earlier run stays. */
export default async function setUp(): Promise<void> {
  await rm(screenshotFolder, { recursive: true, force: true });
  await setUpServers();
}
