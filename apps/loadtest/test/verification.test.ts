import { cleanText } from '@passerby/protocol';
import { leastCharacters, type MessageMark, readMessage, writeMessage } from '../src/message-text.ts';
import { SessionAudit } from '../src/session-audit.ts';
import { SessionSide, type SideReport } from '../src/session-side.ts';

const mark = (n: number, other: Partial<MessageMark> = {}): MessageMark => {
  return { run: 'r1', session: 's1', user: 'b', n, at: 12_345.678, ...other };
};

describe('a message', () => {
  it('carries its mark through the cleaning, in as many characters as were asked for', () => {
    const longest = mark(123_456, { session: 'x'.repeat(36), user: 'lfls', run: 'deadbeef', at: 1e12 });
    for (const [each, characters] of [
      [mark(1), 200],
      [longest, leastCharacters],
    ] as const) {
      const text = writeMessage(each, characters);
      expect(text).toHaveLength(characters);
      expect(readMessage(cleanText(text, characters) ?? '')).toEqual(each);
    }
  });

  it('that somebody else wrote has none', () => {
    expect(readMessage('hello')).toBeUndefined();
    expect(readMessage(`${writeMessage(mark(1), 100)} hello`)).toBeUndefined();
  });
});

describe('a side of a session', () => {
  it('takes messages of a user of another run who has the same name', () => {
    const other = mark(1, { run: 'r2', user: 'a' });
    expect(new SessionSide('s1', { run: 'r1', user: 'a' }).take(other)).toBeUndefined();
  });

  const side = new SessionSide('s1', { run: 'r1', user: 'a' });
  const steps: [what: string, MessageMark, wrong: string | undefined][] = [
    ['the first message', mark(1), undefined],
    ['the second', mark(2), undefined],
    ['the second again', mark(2), 'repeated'],
    ['one of another session', mark(3, { session: 's2' }), 'wrong chat'],
    ['one of a third user', mark(3, { user: 'c' }), 'wrong chat'],
    ['one of the same user of another run', mark(3, { run: 'r2' }), 'wrong chat'],
    ['an own one', mark(3, { user: 'a' }), 'wrong chat'],
    ['one after a gap of two', mark(5), undefined],
    ['one of the two', mark(4), 'order'],
    ['the same again', mark(4), 'repeated'],
    ['the next after another gap', mark(7), undefined],
  ];

  it.each(steps)('judges %s', (_what, each, wrong) => {
    expect(side.take(each)).toBe(wrong);
  });

  it('tells in the end what came, and what became of its own', () => {
    expect(side.write()).toBe(1);
    expect(side.write()).toBe(2);
    side.write();
    side.write();
    side.answered(1, 'accepted');
    side.answered(2, 'refused');
    side.answered(3, 'unknown');
    expect(side.isPending).toBe(true);
    expect(side.settled).toEqual({ accepted: 1, received: 5 });
    side.leave();
    const own = { sent: 4, refused: [2], unanswered: [3, 4] };
    expect(side.report()).toEqual({ session: 's1', user: 'a', ...own, highest: 7, missing: [3, 6], stayed: false });
  });
});

describe('the audit of a session', () => {
  const none: Omit<SideReport, 'user'> = {
    ...{ session: 's1', sent: 0, refused: [], unanswered: [], highest: 0, missing: [], stayed: true },
  };

  it.each<
    [what: string, sender: Partial<SideReport>, receiver: Partial<SideReport>, lost: number, unconfirmed: number]
  >([
    ['all came', { sent: 3 }, { highest: 3 }, 0, 0],
    ['one in the middle did not come', { sent: 3 }, { highest: 3, missing: [2] }, 1, 0],
    ['the last did not come', { sent: 3 }, { highest: 1 }, 2, 0],
    ['none came', { sent: 3 }, {}, 3, 0],
    ['the receiver left before the last', { sent: 3 }, { highest: 2, stayed: false }, 0, 1],
    ['the sender left after the last', { sent: 3, stayed: false }, { highest: 2 }, 0, 1],
    ['one was lost before somebody left', { sent: 3 }, { highest: 3, missing: [2], stayed: false }, 1, 0],
    ['what did not come was refused', { sent: 3, refused: [1, 3] }, { highest: 2, missing: [1] }, 0, 0],
    ['what did not come has no answer', { sent: 3, unanswered: [1, 3] }, { highest: 2, missing: [1] }, 0, 2],
  ])('when %s', (_what, sender, receiver, lost, unconfirmed) => {
    const sides = [
      { ...none, ...sender, user: 'a' },
      { ...none, ...receiver, user: 'b' },
    ];
    for (const inOrder of [sides, sides.toReversed()]) {
      const audit = new SessionAudit();
      for (const side of inOrder) audit.add(side);
      audit.end(0);
      expect({ lost: audit.lost, unconfirmed: audit.unconfirmed }).toEqual({ lost, unconfirmed });
    }
  });

  it('knows nothing of messages to somebody else’s users', () => {
    const audit = new SessionAudit();
    audit.add({ ...none, user: 'a', sent: 3, refused: [1] });
    audit.end(0);
    expect({ lost: audit.lost, unconfirmed: audit.unconfirmed }).toEqual({ lost: 0, unconfirmed: 2 });
  });

  it('counts sessions of one side that began in time to have two', () => {
    const audit = new SessionAudit();
    audit.add({ ...none, user: 'a', session: 'old', beganAt: 100 });
    audit.add({ ...none, user: 'a', session: 'young', beganAt: 101 });
    audit.add({ ...none, user: 'a', session: 'only its end was told' });
    audit.add({ ...none, user: 'a', session: 'of two', beganAt: 99 });
    audit.add({ ...none, user: 'b', session: 'of two' });
    audit.end(100);
    expect(audit.oneSided).toBe(1);
  });
});
