import type { Welcome } from '@passerby/protocol';
import { now } from '../src/clock.ts';
import { LoadUser } from '../src/load-user.ts';
import type { SideReport } from '../src/session-side.ts';
import { Tally } from '../src/tally.ts';

const tally = new Tally();
let user: LoadUser;
let mismatches: string[];
let reports: SideReport[];

beforeEach(() => {
  tally.take();
  mismatches = [];
  reports = [];
  // Nothing listens there: what a server would say is said by the test.
  user = new LoadUser(
    'a',
    'http://127.0.0.1:1',
    {
      ...{ tally, run: 'r1', messageCharacters: 100, resumes: true, clientOptions: {}, sides: new Set() },
      ended: side => reports.push(side.report()),
      mismatch: kind => mismatches.push(kind),
    },
    {},
  );
  user.connect(now());
  welcome({ resumed: false, state: 'idle' });
  user.search(now());
});

afterEach(() => user.close());

afterAll(() => tally.stop());

function welcome(given: Pick<Welcome, 'resumed' | 'state'>, sessionId?: string): void {
  const session = sessionId === undefined ? {} : { session: { sessionId, startedAt: 0, partnerAway: false } };
  user.event('welcome', [{ token: 't', graceMs: 60_000, ...given, ...session } satisfies Welcome]);
}

function matched(sessionId: string): void {
  user.event('matched', [{ sessionId, startedAt: 0 }]);
}

describe('a user who loses the connection', () => {
  it('in a chat must not come back into another one', () => {
    matched('FIRST');
    user.cut(now());
    welcome({ resumed: true, state: 'paired' }, 'OTHER');
    expect(mismatches).toEqual(['second chat']);
  });

  it('may come back into the same chat, or out of it', () => {
    matched('FIRST');
    user.cut(now());
    welcome({ resumed: true, state: 'paired' }, 'FIRST');
    user.cut(now());
    welcome({ resumed: true, state: 'idle' });
    expect(mismatches).toEqual([]);
  });

  it('while a skip is under way may come back into the next chat, of which not every one is told', () => {
    matched('FIRST');
    user.skip(now());
    user.cut(now());
    welcome({ resumed: true, state: 'paired' }, 'OTHER');
    expect(mismatches).toEqual([]);
    expect(tally.counts.untold).toBe(1);
  });

  it('while an end is under way must not', () => {
    matched('FIRST');
    user.end();
    user.cut(now());
    welcome({ resumed: true, state: 'paired' }, 'OTHER');
    expect(mismatches).toEqual(['second chat']);
  });

  it('while waiting may not be told of a chat', () => {
    user.cut(now());
    expect(tally.counts.untold).toBe(1);
  });
});

it('a user whose partner left before the match was told is a side of that chat', () => {
  user.event('partner_left', [{ sessionId: 'BRIEF', reason: 'end' }]);
  expect(mismatches).toEqual([]);
  expect(reports).toMatchObject([{ session: 'BRIEF', user: 'a', stayed: false }]);
  expect(reports[0]).not.toHaveProperty('beganAt');
});
