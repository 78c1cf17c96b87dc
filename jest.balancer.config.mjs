import base from './jest.config.mjs';

/** The tests that need an HAProxy. */
export default { ...base, roots: ['<rootDir>/tests/balancer'], testMatch: ['**/*.balancer.ts'] };
