import { ConfigError, readConfig } from '../src/config.ts';

const needed = { REDIS_URL: 'redis://localhost:6379', DATABASE_URL: 'postgres://u:p@localhost/passerby' };

describe('readConfig', () => {
  it('needs only the two addresses', () => {
    expect(readConfig({ ...needed, POOLS: '' })).toEqual({
      ...needed,
      POOLS: ['lobby'],
      REDIS_PREFIX: 'passerby',
      PORT: 3100,
      HOST: '',
      LOG_LEVEL: 'info',
      BATCH_SIZE: 2000,
      OUTBOX_HIGH_WATER: 1_000_000,
      SWEEP_EVERY_MS: 60_000,
    });
  });

  it('reads every setting', () => {
    const given = {
      POOLS: 'lobby, games',
      REDIS_PREFIX: 'p2',
      PORT: '0',
      HOST: '::1',
      LOG_LEVEL: 'debug',
      BATCH_SIZE: '7',
      OUTBOX_HIGH_WATER: '9',
      SWEEP_EVERY_MS: '100',
    };
    const read = {
      POOLS: ['lobby', 'games'],
      REDIS_PREFIX: 'p2',
      PORT: 0,
      HOST: '::1',
      LOG_LEVEL: 'debug',
      BATCH_SIZE: 7,
      OUTBOX_HIGH_WATER: 9,
      SWEEP_EVERY_MS: 100,
    };
    expect(readConfig({ ...needed, ...given })).toEqual({ ...needed, ...read });
  });

  it('tells all that is wrong, in one sentence each', () => {
    const wrong = { REDIS_URL: 'http://x', POOLS: 'a b', REDIS_PREFIX: ':', PORT: '99999', BATCH_SIZE: '1.5' };
    const sentences = [
      'REDIS_URL must be a URL such as redis://localhost:6379.',
      'DATABASE_URL is not set. See .env.example.',
      'POOLS must be pool names with commas between them.',
      'REDIS_PREFIX must be letters, digits, - and _.',
      'PORT must be a whole number from 0 to 65535.',
      'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent.',
      'BATCH_SIZE must be a whole number from 1 to 5000.',
    ];
    expect(() => readConfig({ ...wrong, LOG_LEVEL: 'loud' })).toThrow(new ConfigError(sentences.join('\n')));
  });
});
