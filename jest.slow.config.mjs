import base from './jest.config.mjs';

/** What is too slow for `npm test`: whole processes with faults, attacks or benchmarks, one file after the other. */
export default { ...base, roots: ['<rootDir>/apps'], testMatch: ['**/test/**/*.slow.ts'], maxWorkers: 1 };
