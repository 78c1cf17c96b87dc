import { readConfig } from '../src/config.ts';

describe('readConfig', () => {
  it('needs nothing', () => {
    expect(readConfig({})).toMatchObject({
      port: 3000,
      nodes: 2,
      host: undefined,
      localHost: 'localhost',
      addressSecret: undefined,
      mostOfAddress: 1000,
      redisUrl: undefined,
      databaseUrl: undefined,
      postgresPort: { port: 3200, fixed: false },
      redisPort: { port: 3201, fixed: false },
      adminToken: undefined,
      dataDir: expect.stringMatching(/\/\.data$/),
    });
  });

  it('takes what is set, and an empty value as unset', () => {
    const config = readConfig({ PORT: '4000', NODES: '3', REDIS_URL: '', POSTGRES_PORT: '5432', POOL: 'deep' });
    expect(config).toMatchObject({ port: 4000, nodes: 3, redisUrl: undefined, pools: 'deep' });
    expect(config.postgresPort).toEqual({ port: 5432, fixed: true });
    expect(config.redisPort).toEqual({ port: 4201, fixed: false });
    expect(readConfig({ ADMIN_TOKEN: 'secret' }).adminToken).toBe('secret');
    expect(readConfig({ RATE_LIMITS: 'off' }).mostOfAddress).toBe(Number.POSITIVE_INFINITY);
    expect(readConfig({ POOL: 'a', POOLS: 'a,b' }).pools).toBe('a,b');
  });

  it.each([
    ['0.0.0.0', 'localhost'],
    ['::', 'localhost'],
    ['192.168.1.5', '192.168.1.5'],
    ['::1', '[::1]'],
  ])('reaches what listens on %s at %s', (host, localHost) => {
    expect(readConfig({ HOST: host })).toMatchObject({ host, localHost });
  });

  it('says a sentence for each wrong setting', () => {
    const read = () => readConfig({ PORT: 'x', NODES: '0', REDIS_URL: 'localhost', DATABASE_URL: 'http://a/b' });
    expect(read).toThrow(
      /^PORT must be a whole number from 1 to 65000\.\nNODES must be .*\nREDIS_URL .*\nDATABASE_URL .*$/,
    );
  });
});
