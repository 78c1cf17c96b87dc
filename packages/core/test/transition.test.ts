import { type ChatState, type Circumstances, type Effect, newcomer, transition } from '../src/chat/transition.ts';
import type { UserChange } from '../src/chat/user-change.ts';

const side = (sessionId: string, partnerNode: string | null = 'two') => ({
  ...{ sessionId, partnerId: `partner in ${sessionId}`, startedAt: 1000, side: 'a' as const },
  ...(partnerNode !== null && { partnerNode }),
});
type Change = Partial<UserChange> & { state: UserChange['state'] };
const idle: Change = { state: 'idle' };
const waiting: Change = { state: 'waiting' };
const paired = (sessionId: string, partnerNode?: string | null): Change => ({
  ...{ state: 'paired', session: side(sessionId, partnerNode) },
});
const ended = (sessionId: string): Change => ({ state: 'idle', ended: { sessionId, reason: 'skip' } });

const plainly: Circumstances = { how: 'notice', isLeaving: false, resumes: false, now: 500, graceMs: 30_000 };

function change(change: Change, revision: number): UserChange {
  return { userId: 'ann', revision, ...change } as UserChange;
}

/** A user to whom these changes came, in order. */
function after(...changes: Change[]): ChatState {
  return changes.reduce(
    (user, each, at) => transition(user, change(each, at + 1), { ...plainly, now: 100 }).user,
    newcomer,
  );
}

const matched = (sessionId: string): Effect => ({
  ...{ kind: 'emit', event: 'matched', payload: { sessionId, startedAt: 1000 } },
});
const left = (sessionId: string, reason: 'skip' | 'disconnect'): Effect => ({
  ...{ kind: 'emit', event: 'partner_left', payload: { sessionId, reason } },
});
const count = (waitedMs: number): Effect => ({ kind: 'count match', waitedMs });
const searchOn: Effect = { kind: 'search on' };
const away: Effect = { kind: 'emit', event: 'partner_away', payload: { sessionId: '1', graceMs: 30_000 } };
const back: Effect = { kind: 'emit', event: 'partner_back', payload: { sessionId: '1' } };

const cases: [string, Change[], Change, Partial<Circumstances>, Effect[]][] = [
  ['an idle user who begins to wait', [], waiting, { how: 'own' }, []],
  ['an idle user who finds a partner at once', [], paired('1'), { how: 'own' }, [matched('1'), count(0)]],
  ['a waiting user who is found', [waiting], paired('1'), {}, [matched('1'), count(400)]],
  ['a waiting user who stops', [waiting], idle, { how: 'own', isLeaving: true }, []],
  ['a paired user whose partner leaves', [paired('1')], ended('1'), {}, [left('1', 'skip')]],
  ['a paired user whose chat is gone, nobody knows why', [paired('1')], idle, {}, [left('1', 'disconnect')]],
  ['a paired user who ends the chat', [paired('1')], idle, { how: 'own', isLeaving: true }, []],
  ['a paired user who skips and waits', [paired('1')], waiting, { how: 'own', isLeaving: true }, []],
  [
    'a paired user who skips and finds somebody at once',
    [paired('1')],
    paired('2'),
    { how: 'own', isLeaving: true },
    [matched('2'), count(0)],
  ],
  [
    'a skip whose next match is told faster than its reply',
    [paired('1')],
    paired('2'),
    { isLeaving: true },
    [matched('2'), count(0)],
  ],
  ['a skip during which the partner leaves', [paired('1')], ended('1'), { isLeaving: true }, [left('1', 'skip')]],
  ['a skip whose next chat is over before its reply', [paired('1')], ended('2'), { isLeaving: true }, []],
  [
    'a user who missed the end of a chat and finds the next one',
    [paired('1')],
    paired('2'),
    { how: 'own' },
    [left('1', 'disconnect'), matched('2'), count(0)],
  ],
  ['a searching user whose chat began and ended unheard', [], ended('1'), {}, [searchOn]],
  ['a waiting user whose chat began and ended unheard', [waiting], ended('1'), {}, [searchOn]],
  ['a waiting user who is out of the queue, nobody knows why', [waiting], idle, {}, [searchOn]],
  ['the same, while a command takes the user out', [waiting], idle, { isLeaving: true }, []],
  ['an idle user who is told once more of the last end', [paired('1'), idle], ended('1'), {}, []],
  ['a plain user whose partner is away', [paired('1')], paired('1', null), {}, []],
  ['a resuming user whose partner is away', [paired('1')], paired('1', null), { resumes: true }, [away]],
  ['a resuming user whose partner is back', [paired('1', null)], paired('1'), { resumes: true }, [back]],
  ['a resuming user whose partner moves', [paired('1')], paired('1', 'three'), { resumes: true }, []],
  [
    'a resuming user who is matched with one who is away by now',
    [waiting],
    paired('1', null),
    { resumes: true },
    [matched('1'), count(400), away],
  ],
  ['a user who comes back into a chat', [], paired('1'), { how: 'resume', resumes: true }, []],
  ['a user who comes back, and whose chat is over', [paired('1')], ended('1'), { how: 'resume', resumes: true }, []],
  ['a user who lives elsewhere', [paired('1')], { state: 'gone' }, {}, [{ kind: 'leave', connection: 'replace' }]],
  ['a user who is away', [paired('1')], { state: 'away' }, {}, [{ kind: 'leave', connection: 'close' }]],
];

describe.each(cases)('%s', (_who, before, next, circumstances, effects) => {
  it('has just these effects', () => {
    const user = after(...before);
    const result = transition(user, change(next, 10), { ...plainly, ...circumstances });
    expect(result.effects).toEqual(effects);
  });

  it('changes nothing, and nobody is told, when something newer is known', () => {
    const user = { ...after(...before), revision: 10 };
    expect(transition(user, change(next, 10), { ...plainly, ...circumstances })).toEqual({ user, effects: [] });
  });
});

describe('what is known of the messages of a session', () => {
  it('is kept as long as it is the same session', () => {
    const user = after(paired('1'));
    if (user.session) user.session.tally.sent = 3;
    const moved = transition(user, change(paired('1', 'three'), 10), plainly).user;
    expect(moved.session).toMatchObject({ partnerNode: 'three', tally: { messages: 0, sent: 3, shown: 0 } });
    expect(transition(moved, change(paired('2'), 11), plainly).user.session?.tally.sent).toBe(0);
  });

  it('is not their number for who comes from another node', () => {
    const user = transition(newcomer, change(paired('1'), 1), { ...plainly, how: 'resume' }).user;
    expect(user.session?.tally.messages).toBeNull();
  });
});
