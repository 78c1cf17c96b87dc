import { help } from '../src/help.ts';
import { parseOptions } from '../src/options.ts';

const parse = (...args: string[]) => parseOptions(args, 4);

describe('parseOptions', () => {
  it('reads what is given, and has something for the rest', () => {
    const targets = ['--target', 'http://one:3000, https://two.example.org', '--target', 'http://three'];
    const given = [
      '--scenario',
      'relay',
      '--users',
      '2000',
      '--duration',
      '1.5m',
      '--rate',
      '500',
      '--message-size',
      '200',
    ];
    expect(parse(...targets, ...given)).toMatchObject({
      targets: ['http://one:3000', 'https://two.example.org', 'http://three'],
      ...{ scenario: 'relay', users: 2000, durationMs: 90_000, perSecond: 500, messageCharacters: 200, workers: 3 },
    });
    expect(parse()).toMatchObject({ targets: ['http://localhost:3000'], scenario: 'chat', findLimit: undefined });
    expect(parse('--find-limit', '--p99', '250ms')).toMatchObject({ findLimit: 250, durationMs: 10_000 });
    expect(parse('--shared')).toMatchObject({ shared: true });
    expect(parse('--help')).toBeUndefined();
  });

  it.each([
    [['--users', '0'], '--users must be a number from 1 to 1000000.'],
    [['--users', '2.5'], '--users must be a whole number.'],
    [['--users', '3', '--scenario', 'storm'], '--users must be even for storm: everybody has a partner.'],
    [['--scenario', 'flood'], 'There is no scenario "flood". There are: chat, relay, match, storm, idle.'],
    [['--target', 'localhost:3000'], '--target must be an address such as http://localhost:3000'],
    [['--target', 'http://localhost:3000/chat'], '--target must be an address such as http://localhost:3000'],
    [['--duration', '60'], '--duration must be a time such as 500ms, 30s or 2m, from 100 ms to 86400 s.'],
    [['--rate', ''], '--rate must be a number from 0.01 to 10000000.'],
    [['--rate', '5', '--scenario', 'idle'], '--rate means nothing to idle. --ramp says how fast users come.'],
    [['--find-limit', '--scenario', 'storm'], '--find-limit is not for storm: it has no rate.'],
    [['--p99', '100ms'], '--p99 is only for --find-limit.'],
    [['--talk', '1s', '--scenario', 'relay'], '--talk is only for chat.'],
    [['--workers', '20', '--users', '10'], '--workers must not be more than --users.'],
    [['--message-size', '10'], '--message-size must be a number from 90 to 5000.'],
    [['--nothing'], "Unknown option '--nothing'"],
  ])('says what is wrong with %j', (args, sentence) => {
    expect(() => parse(...args)).toThrow(sentence);
  });
});

test('the help names every option', () => {
  for (const name of ['target', 'users', 'p99', 'find-limit', 'talk', 'html']) expect(help()).toContain(`--${name} `);
});
