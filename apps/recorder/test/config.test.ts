import { readConfig } from '../src/config.ts';

const needed = { REDIS_URL: 'redis://localhost:6379', DATABASE_URL: 'postgres://u:p@localhost/passerby' };

describe('readConfig', () => {
  it('needs only the two addresses', () => {
    expect(readConfig({ ...needed, POOLS: '' })).toEqual({
      redisUrl: needed.REDIS_URL,
      databaseUrl: needed.DATABASE_URL,
      pools: ['lobby'],
      redisPrefix: 'passerby',
      port: 3100,
      logLevel: 'info',
      batchSize: 500,
    });
  });

  it('reads every setting', () => {
    const env = {
      ...needed,
      POOLS: 'lobby, games',
      REDIS_PREFIX: 'p2',
      PORT: '0',
      LOG_LEVEL: 'debug',
      BATCH_SIZE: '7',
    };
    expect(readConfig(env)).toMatchObject({
      pools: ['lobby', 'games'],
      redisPrefix: 'p2',
      port: 0,
      logLevel: 'debug',
      batchSize: 7,
    });
  });

  it('tells all that is wrong, in one sentence each', () => {
    const env = { REDIS_URL: 'http://x', POOLS: 'a b', PORT: '99999', LOG_LEVEL: 'loud', BATCH_SIZE: '1.5' };
    expect(() => readConfig(env)).toThrow(
      [
        'REDIS_URL must be an address like redis://localhost:6379.',
        'DATABASE_URL must be an address like postgres://user:password@localhost:5432/passerby.',
        'POOLS must be pool names with commas between them; a name has letters, digits, - and _.',
        'PORT must be a whole number from 0 to 65535.',
        'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent.',
        'BATCH_SIZE must be a whole number from 1 to 5000.',
      ].join('\n'),
    );
  });
});
