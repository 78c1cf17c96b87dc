import { fileURLToPath } from 'node:url';
import base from './jest.config.mjs';

/** Where the tests leave pictures of what they saw, to be looked at. */
const screenshotFolder = fileURLToPath(new URL('.cache/screenshots', import.meta.url));

/** The tests that need a browser. They run against the page and the nodes that `npm run build` made. */
export default {
  ...base,
  roots: ['<rootDir>/tests/browser'],
  testMatch: ['**/*.browser.ts'],
  globals: { screenshotFolder },
  globalSetup: '<rootDir>/tests/browser/support/global-setup.ts',
  reporters: [...base.reporters, ['<rootDir>/tests/browser/support/screenshots-reporter.mjs', { screenshotFolder }]],
  // For the most part they wait for a browser.
  maxWorkers: 2,
  testTimeout: 120_000,
};
