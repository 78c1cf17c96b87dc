import { fileURLToPath } from 'node:url';

/** Where the tests leave pictures of what they saw, to be looked at. Not part of the repository. */
export const screenshotFolder = fileURLToPath(new URL('../../../.cache/screenshots', import.meta.url));
