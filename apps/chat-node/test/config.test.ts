import { ConfigError, readConfig } from '../src/config.ts';

const REDIS_URL = 'redis://localhost:6379';

/** The complaints about an environment, a line each. */
function complaints(environment: Record<string, string>): string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split('\n');
  }
}

describe('readConfig', () => {
  it('needs only the address of Redis', () => {
    expect(readConfig({ REDIS_URL })).toEqual({
      PORT: 3000,
      HOST: '',
      REDIS_URL,
      REDIS_PREFIX: 'passerby',
      POOL: 'lobby',
      LEASE_MS: 5000,
      RESUME_WITHIN_MS: 30_000,
      DRAIN_MS: 10_000,
      ALLOWED_ORIGINS: [],
      TRUST_PROXY: [],
      MAX_MESSAGE_CHARACTERS: 500,
      RATE_LIMITS: 'on',
      LIMIT_USER_MESSAGES: { points: 30, seconds: 10 },
      LIMIT_USER_REQUESTS: { points: 30, seconds: 10 },
      LIMIT_USER_RESUMES: { points: 30, seconds: 60 },
      LIMIT_ADDRESS_MESSAGES: { points: 600, seconds: 10 },
      LIMIT_ADDRESS_REQUESTS: { points: 600, seconds: 10 },
      LIMIT_ADDRESS_CONNECTIONS: { points: 300, seconds: 60 },
      LIMIT_ADDRESS_OPEN: 1000,
      LIMIT_ADDRESS_HANDSHAKES: { points: 600, seconds: 6 },
      LIMIT_ADDRESS_HTTP: { points: 600, seconds: 1 },
      LIMIT_ADDRESS_PACKETS: { points: 1000, seconds: 2 },
      LIMIT_CONNECTION_PACKETS: { points: 500, seconds: 10 },
      LOG_LEVEL: 'info',
    });
    expect(complaints({})).toEqual(['REDIS_URL is not set. See .env.example.']);
  });

  it('takes an empty setting for one that is not set', () => {
    const names = Object.keys(readConfig({ REDIS_URL, ADMIN_TOKEN: 'x'.repeat(16) }));
    const empty = Object.fromEntries(names.map(name => [name, '']));
    expect(readConfig({ ...empty, REDIS_URL })).toEqual(readConfig({ REDIS_URL }));
    expect(complaints(empty)).toEqual(['REDIS_URL is not set. See .env.example.']);
  });

  it('reads every setting, and no other variable', () => {
    const environment = {
      PORT: '0',
      HOST: '::1',
      REDIS_URL: 'rediss://user:secret@redis.example:6380/2',
      REDIS_PREFIX: 'p-2',
      POOL: 'games',
      LEASE_MS: '60000',
      RESUME_WITHIN_MS: '600000',
      DRAIN_MS: '3600000',
      ALLOWED_ORIGINS: 'https://a.example, http://localhost:5173,',
      TRUST_PROXY: 'loopback, 10.0.0.0/8, 2001:db8::1',
      MAX_MESSAGE_CHARACTERS: '5000',
      RATE_LIMITS: 'off',
      LIMIT_USER_MESSAGES: '1/2',
      LIMIT_USER_REQUESTS: '3/4',
      LIMIT_USER_RESUMES: '5/7',
      LIMIT_ADDRESS_MESSAGES: '5/6',
      LIMIT_ADDRESS_REQUESTS: '7/8',
      LIMIT_ADDRESS_CONNECTIONS: '10000000/86400',
      LIMIT_ADDRESS_OPEN: '1000000',
      LIMIT_ADDRESS_HANDSHAKES: '9/10',
      LIMIT_ADDRESS_HTTP: '11/12',
      LIMIT_ADDRESS_PACKETS: '13/14',
      LIMIT_CONNECTION_PACKETS: '15/16',
      ADDRESS_SECRET: 'fedcba9876543210',
      ADMIN_TOKEN: '0123456789abcdef',
      LOG_LEVEL: 'debug',
    };
    expect(readConfig({ ...environment, PATH: '/bin', NODE_ENV: 'test' })).toEqual({
      ...environment,
      PORT: 0,
      LEASE_MS: 60_000,
      RESUME_WITHIN_MS: 600_000,
      DRAIN_MS: 3_600_000,
      ALLOWED_ORIGINS: ['https://a.example', 'http://localhost:5173'],
      TRUST_PROXY: ['loopback', '10.0.0.0/8', '2001:db8::1'],
      MAX_MESSAGE_CHARACTERS: 5000,
      LIMIT_USER_MESSAGES: { points: 1, seconds: 2 },
      LIMIT_USER_REQUESTS: { points: 3, seconds: 4 },
      LIMIT_USER_RESUMES: { points: 5, seconds: 7 },
      LIMIT_ADDRESS_MESSAGES: { points: 5, seconds: 6 },
      LIMIT_ADDRESS_REQUESTS: { points: 7, seconds: 8 },
      LIMIT_ADDRESS_CONNECTIONS: { points: 10_000_000, seconds: 86_400 },
      LIMIT_ADDRESS_OPEN: 1_000_000,
      LIMIT_ADDRESS_HANDSHAKES: { points: 9, seconds: 10 },
      LIMIT_ADDRESS_HTTP: { points: 11, seconds: 12 },
      LIMIT_ADDRESS_PACKETS: { points: 13, seconds: 14 },
      LIMIT_CONNECTION_PACKETS: { points: 15, seconds: 16 },
    });
    expect(readConfig({ REDIS_URL, ALLOWED_ORIGINS: '*' }).ALLOWED_ORIGINS).toEqual(['*']);
  });

  const limit = 'must be a number and a number of seconds, such as 30/10.';
  const origins = 'must be web origins such as https://chat.example.org, with commas between them, or *.';
  const networks =
    'must be addresses, networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal, with commas between them.';

  it.each<[name: string, sentence: string, values: string[]]>([
    ['PORT', 'must be a whole number from 0 to 65535.', ['web', '-1', '65536', '3000.5', ' ', '0x10', '3e3', '-1.5']],
    ['REDIS_URL', 'must be a URL such as redis://localhost:6379.', ['localhost:6379', 'http://localhost', 'redis']],
    ['REDIS_PREFIX', 'must be letters, digits, - and _.', ['a b', 'a{b}', 'a:b', '*']],
    ['POOL', 'must be letters, digits, - and _.', ['a,b', '}']],
    ['LEASE_MS', 'must be a whole number from 1000 to 60000.', ['5s', '999', '60001']],
    ['ALLOWED_ORIGINS', origins, ['chat.example.org', 'https://a.example/', 'https://a.example, null', 'x:y']],
    ['TRUST_PROXY', networks, ['true', '1', '10.0.0.0/33', 'loopback, balancer']],
    ['MAX_MESSAGE_CHARACTERS', 'must be a whole number from 1 to 5000.', ['0', '5001', 'many']],
    ['RATE_LIMITS', 'must be on or off.', ['true', 'OFF']],
    ['LIMIT_USER_MESSAGES', limit, ['30', '0/10', '30/0', '30/0.5', '-1/1', '30/10s', '1/100000']],
    ['LIMIT_USER_REQUESTS', limit, ['x']],
    ['LIMIT_ADDRESS_MESSAGES', limit, ['x']],
    ['LIMIT_ADDRESS_REQUESTS', limit, ['x']],
    ['LIMIT_ADDRESS_CONNECTIONS', limit, ['x']],
    ['LIMIT_ADDRESS_OPEN', 'must be a whole number from 1 to 1000000.', ['0', '300/60']],
    ['LIMIT_ADDRESS_HANDSHAKES', limit, ['x']],
    ['LIMIT_ADDRESS_HTTP', limit, ['x']],
    ['LIMIT_ADDRESS_PACKETS', limit, ['x']],
    ['LIMIT_CONNECTION_PACKETS', limit, ['x']],
    ['ADDRESS_SECRET', 'must have at least 16 characters.', ['secret']],
    ['ADMIN_TOKEN', 'must have at least 16 characters.', ['secret']],
    ['LOG_LEVEL', 'must be one of fatal, error, warn, info, debug, trace, silent.', ['loud', 'INFO']],
  ])('says what is wrong with %s', (name, sentence, values) => {
    for (const value of values) {
      expect([value, ...complaints({ REDIS_URL, [name]: value })]).toEqual([value, `${name} ${sentence}`]);
    }
  });

  it('says all that is wrong at once', () => {
    expect(complaints({ PORT: 'x', POOL: '?', LOG_LEVEL: 'x' }).map(line => line.split(' ')[0])).toEqual([
      'PORT',
      'REDIS_URL',
      'POOL',
      'LOG_LEVEL',
    ]);
  });
});
