/** One run for everything: the packages from their sources, the processes from what `npm run build` made. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/packages', '<rootDir>/apps', '<rootDir>/tests'],
  testMatch: ['**/test/**/*.test.ts', '<rootDir>/tests/**/*.test.ts'],
  modulePathIgnorePatterns: ['/dist/'],
  transform: {
    '\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } },
    ],
  },
  // These publish ES modules only.
  transformIgnorePatterns: ['/node_modules/(?!(uuid|get-port|httpxy|tinyqueue)/)'],
  moduleNameMapper: {
    '^@passerby/(protocol|client|core|redis|database)$': '<rootDir>/packages/$1/src/index.ts',
    // The generated Prisma client names the ES module of a file that also comes as CommonJS.
    '^(@prisma/client/runtime/query_compiler_.*)\\.mjs$': '$1.js',
  },
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/global-teardown.ts',
  reporters: [
    'default',
    '<rootDir>/tests/support/progress-reporter.mjs',
    '<rootDir>/tests/support/closing-line-reporter.mjs',
  ],
  // Most tests wait for the most part: leaving a core to the rest, as Jest does, would leave it idle.
  maxWorkers: '100%',
  // Far longer than any test takes: how fast the machine is must not matter. What a test waits for has bounds of its own.
  testTimeout: 180_000,
};
