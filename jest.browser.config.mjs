import base from './jest.config.mjs';

/** The tests that need a browser. They run against the page and the nodes that `npm run build` made. */
export default {
  ...base,
  roots: ['<rootDir>/tests/browser'],
  testMatch: ['**/*.browser.ts'],
  globalSetup: '<rootDir>/tests/browser/support/global-setup.ts',
  reporters: [...base.reporters, '<rootDir>/tests/browser/support/screenshots-reporter.mjs'],
  testTimeout: 60_000,
};
