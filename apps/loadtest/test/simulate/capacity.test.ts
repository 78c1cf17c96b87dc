import { capacity, type Traffic } from '../../src/simulate/capacity.ts';
import { costs } from '../../src/simulate/costs.ts';
import { parseOptions } from '../../src/simulate/options.ts';

const traffic: Traffic = {
  ...{ chatMs: 180_000, pauseMs: 40_000, chats: 4, patienceMs: 60_000 },
  ...{ messageEveryMs: 6000, reconnectEveryMs: 1e12 },
};

describe('the calculation of what users need', () => {
  it('counts what they do', () => {
    // 90,000 of 100,000 chat: of 200 s, two users spend 20 s each in between on average.
    const { chats, searches, facts, messages, recorderShare } = capacity(100_000, traffic);
    expect(chats).toBeCloseTo(45_000);
    expect(messages).toBeCloseTo(15_000);
    expect([searches, facts]).toEqual([500, 500]);
    expect(recorderShare).toBeCloseTo(500 / costs.recorder.factsPerSecond);
  });

  it('charges Redis for it', () => {
    // One node alone publishes nothing. 250 chats end in a second, with 3 skips and 1 leaving for every 4 of them.
    const { redisCores, redisParts, nodes } = capacity(10_000, traffic);
    const { search, skip, leave, limit, fact, idleNode } = costs.redis;
    const matchingUs = 18.75 * skip.us + 31.25 * search.us + 12.5 * leave.us;
    expect(nodes).toBe(1);
    expect(redisCores).toBeCloseTo((matchingUs + 12.5 * limit.us + 50 * fact.us + idleNode.us) / 1e6, 6);
    expect(redisParts.messages).toBe(0);
    expect(redisParts.matching).toBeCloseTo(matchingUs / (redisCores * 1e6), 6);
  });

  it('knows how many a Redis primary carries, and asks for another one after that', () => {
    const { usersOfOnePrimary: most } = capacity(1000, traffic);
    expect(capacity(most, traffic)).toMatchObject({ primaries: 1 });
    expect(capacity(most, traffic).redisCores).toBeCloseTo(0.7, 1);
    expect(capacity(most * 1.01, traffic)).toMatchObject({ primaries: 2 });
    expect(capacity(1000, { ...traffic, messageEveryMs: 3000 }).usersOfOnePrimary).toBeLessThan(most);
  });
});

describe('the options of the simulation', () => {
  it('are read, with their units', () => {
    const options = parseOptions(['--users', '10,20', '--chat', '2m', '--message-every', '1.5s', '--json']);
    const expected = { users: [10, 20], chatMs: 120_000, messageEveryMs: 1500, pools: [1, 8, 64], json: true };
    expect(options).toMatchObject(expected);
  });

  it.each([
    [['--users', '1000,'], '--users must be a number from 1 to 1000000000, not "".'],
    [['--chat', '180'], '--chat must be a duration such as 180s, 5m or 500ms, not "180".'],
    [['--chat', '0s'], '--chat must be a duration such as 180s, 5m or 500ms, not "0s".'],
    [['--pool', '1'], /--pool/],
  ])('that are wrong are refused: %s', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});
