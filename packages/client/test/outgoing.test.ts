import type { Ack } from '@passerby/protocol';
import { ChatError } from '../src/chat-error.ts';
import { maxKept, type NumberedMessage, Outgoing, type OutgoingState } from '../src/outgoing.ts';

type Answer = (reply: Ack<object> | undefined) => void;

/** A queue whose messages wait here for an answer. */
function setUp(state?: OutgoingState) {
  const underWay: (NumberedMessage & { answer: Answer })[] = [];
  const sent: [seq: number, text: string][] = [];
  const progress: [text: string, status: string][] = [];
  const notInChat = jest.fn();
  const refused = jest.fn();
  const outgoing = new Outgoing({
    sessionId: 's',
    state,
    transmit: (message, answer) => {
      underWay.push({ ...message, answer });
      sent.push([message.seq, message.message]);
    },
    changed: () => undefined,
    progress: ({ text, status }) => progress.push([text, status]),
    notInChat,
    refused,
  });
  const answer = (reply: Ack<object> | undefined) => underWay.shift()?.answer(reply);
  const accept = () => answer({ ok: true });
  const refuse = (
    code: 'INVALID_MESSAGE' | 'UNAVAILABLE' | 'NOT_IN_CHAT' | 'TOO_MANY_MESSAGES',
    retryAfterMs?: number,
  ) => answer({ ok: false, error: { code, message: code, ...(retryAfterMs !== undefined && { retryAfterMs }) } });
  const acceptAll = () => {
    while (underWay.length > 0) accept();
  };
  return { outgoing, underWay, sent, progress, notInChat, refused, answer, accept, acceptAll, refuse };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.clearAllTimers();
  jest.useRealTimers();
});

describe('the outgoing queue', () => {
  it('keeps messages until it is started, and sends them one at a time, numbered from 1', () => {
    const { outgoing, sent, accept } = setUp();
    outgoing.add('a');
    outgoing.add('b');
    expect(sent).toEqual([]);
    outgoing.start();
    expect(sent).toEqual([[1, 'a']]);
    accept();
    expect(sent).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  it('tells of each message: kept, sent, delivered', async () => {
    const { outgoing, accept, progress } = setUp();
    outgoing.start();
    const message = outgoing.add('a');
    expect(message).toMatchObject({ status: 'kept', maybeShown: true });
    accept();
    outgoing.receive({ upTo: 1 });
    await message.delivered;
    expect(progress).toEqual([
      ['a', 'sent'],
      ['a', 'delivered'],
    ]);
    expect(outgoing.kept).toEqual([]);
  });

  it('takes a receipt that overtakes the answer', () => {
    const { outgoing, accept, progress, sent } = setUp();
    outgoing.start();
    outgoing.add('a');
    outgoing.receive({ upTo: 1 });
    accept();
    outgoing.add('b');
    expect(progress).toEqual([['a', 'delivered']]);
    expect(sent.at(-1)).toEqual([2, 'b']);
  });

  it('sends again, in order and with the same numbers, what is not delivered, when it is started again', () => {
    const { outgoing, acceptAll, answer, sent } = setUp();
    outgoing.start();
    for (const text of ['a', 'b', 'c']) outgoing.add(text);
    acceptAll();
    outgoing.receive({ upTo: 1 });
    outgoing.add('d');
    outgoing.stop();
    answer(undefined);
    sent.length = 0;
    outgoing.start();
    acceptAll();
    expect(sent).toEqual([
      [2, 'b'],
      [3, 'c'],
      [4, 'd'],
    ]);
  });

  it('sends nothing again without an interruption', () => {
    const { outgoing, accept, sent } = setUp();
    outgoing.start();
    outgoing.add('a');
    accept();
    jest.advanceTimersByTime(60_000);
    expect(sent).toHaveLength(1);
  });

  it('sends again when the partner asks, but not as often as the partner likes', () => {
    const { outgoing, accept, acceptAll, sent } = setUp();
    outgoing.start();
    jest.advanceTimersByTime(500);
    outgoing.add('a');
    accept();
    for (let i = 0; i < 50; i++) {
      outgoing.receive({ upTo: 0, resend: true });
      acceptAll();
    }
    expect(sent).toHaveLength(2);
    jest.advanceTimersByTime(500);
    acceptAll();
    expect(sent).toHaveLength(3);
    jest.advanceTimersByTime(60_000);
    expect(sent).toHaveLength(3);
  });

  it('does not send twice what the partner asks for when it was just sent again', () => {
    const { outgoing, acceptAll, sent } = setUp();
    outgoing.add('a');
    outgoing.start();
    acceptAll();
    outgoing.receive({ upTo: 0, resend: true });
    outgoing.receive({ upTo: 1 });
    jest.advanceTimersByTime(60_000);
    expect(sent).toHaveLength(1);
  });

  it('believes no receipt for what was never sent', () => {
    const { outgoing, sent, accept } = setUp();
    outgoing.add('a');
    const second = outgoing.add('b');
    outgoing.receive({ upTo: 99 });
    outgoing.start();
    accept();
    outgoing.receive({ upTo: 1 });
    expect(sent).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect(second.status).toBe('kept');
  });

  it('waits no longer for a partner who asks for messages, but for a limit of the server', () => {
    const { outgoing, sent, refuse, accept } = setUp();
    outgoing.start();
    outgoing.add('a');
    refuse('UNAVAILABLE', 5000);
    outgoing.receive({ upTo: 0, resend: true });
    expect(sent).toHaveLength(2);
    accept();
    jest.advanceTimersByTime(500);
    outgoing.add('b');
    refuse('TOO_MANY_MESSAGES', 5000);
    outgoing.receive({ upTo: 1, resend: true });
    expect(sent).toHaveLength(3);
    jest.advanceTimersByTime(5000);
    expect(sent.at(-1)).toEqual([2, 'b']);
  });

  it('waits as long as the server asks, then goes on from the refused message', () => {
    const { outgoing, accept, refuse, sent } = setUp();
    outgoing.start();
    outgoing.add('a');
    outgoing.add('b');
    accept();
    refuse('UNAVAILABLE', 5000);
    jest.advanceTimersByTime(4999);
    expect(sent).toHaveLength(2);
    jest.advanceTimersByTime(1);
    expect(sent.at(-1)).toEqual([2, 'b']);
  });

  it('tells why a message waits, unless that is known otherwise', () => {
    const { outgoing, refuse, refused } = setUp();
    outgoing.start();
    outgoing.add('a');
    refuse('NOT_IN_CHAT');
    expect(refused).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1000);
    refuse('UNAVAILABLE');
    jest.advanceTimersByTime(1000);
    refuse('TOO_MANY_MESSAGES', 3000);
    const told = refused.mock.calls.map(([{ code, retryAfterMs }]) => [code, retryAfterMs]);
    expect(told).toEqual([
      ['UNAVAILABLE', 1000],
      ['TOO_MANY_MESSAGES', 3000],
    ]);
  });

  it('gives the number of a message that the server refuses for good to the next one', async () => {
    const { outgoing, accept, refuse, sent } = setUp();
    outgoing.start();
    outgoing.add('a');
    const bad = outgoing.add('bad');
    outgoing.add('c');
    accept();
    refuse('INVALID_MESSAGE');
    accept();
    await expect(bad.delivered).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    expect(bad).toMatchObject({ status: 'failed', maybeShown: false });
    expect(sent).toEqual([
      [1, 'a'],
      [2, 'bad'],
      [2, 'c'],
    ]);
    outgoing.receive({ upTo: 2 });
    expect(outgoing.kept).toEqual([]);
  });

  it('also when the first answer was lost', () => {
    const { outgoing, answer, refuse, sent } = setUp();
    outgoing.start();
    outgoing.add('bad');
    outgoing.add('b');
    outgoing.stop();
    answer(undefined);
    outgoing.start();
    refuse('INVALID_MESSAGE');
    expect(sent.at(-1)).toEqual([1, 'b']);
  });

  it('keeps the number of a message that one server passed on and another refuses', () => {
    const { outgoing, accept, refuse, sent } = setUp();
    outgoing.start();
    const message = outgoing.add('a');
    outgoing.add('b');
    accept();
    outgoing.start();
    accept();
    refuse('INVALID_MESSAGE');
    expect(message.status).toBe('sent');
    expect(sent).toEqual([
      [1, 'a'],
      [2, 'b'],
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  it('asks what to do when there is no such chat, and tries again if nothing is done', () => {
    const { outgoing, refuse, sent, notInChat } = setUp();
    outgoing.start();
    outgoing.add('a');
    refuse('NOT_IN_CHAT');
    expect(notInChat).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(1000);
    expect(sent).toHaveLength(2);
  });

  it('fails what is not delivered when the session ends, and knows what was never sent', async () => {
    const { outgoing, accept, sent } = setUp();
    outgoing.start();
    const messages = ['a', 'b', 'c'].map(text => outgoing.add(text));
    accept();
    outgoing.receive({ upTo: 1 });
    outgoing.end(new ChatError('NOT_IN_CHAT'));
    accept();
    expect(messages.map(({ status, maybeShown }) => [status, maybeShown])).toEqual([
      ['delivered', true],
      ['failed', true],
      ['failed', false],
    ]);
    await expect(messages[1]?.delivered).rejects.toMatchObject({ code: 'NOT_IN_CHAT' });
    expect(sent).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps a bounded number of messages', () => {
    const { outgoing } = setUp();
    for (let i = 0; i < maxKept; i++) outgoing.add(`${i}`);
    expect(() => outgoing.add('one more')).toThrow(expect.objectContaining({ code: 'OUTGOING_FULL' }));
    expect(outgoing.kept).toHaveLength(maxKept);
  });

  it('goes on elsewhere from its state', () => {
    const before = setUp();
    before.outgoing.start();
    for (const text of ['a', 'b', 'c', 'd']) before.outgoing.add(text);
    before.accept();
    before.accept();
    before.outgoing.receive({ upTo: 1 });

    const after = setUp(before.outgoing.state);
    expect(after.outgoing.kept.map(({ text, status, maybeShown }) => [text, status, maybeShown])).toEqual([
      ['b', 'sent', true],
      ['c', 'kept', true],
      ['d', 'kept', false],
    ]);
    // The third was under way, and its receipt may come before it is sent again.
    after.outgoing.receive({ upTo: 3 });
    after.outgoing.start();
    expect(after.sent).toEqual([[4, 'd']]);
  });

  describe('that goes on from a state older than what was sent', () => {
    const older: OutgoingState = { delivered: 2, accepted: 3, texts: ['c', 'd'] };

    it('gives no number to a new message that an earlier one had', async () => {
      const { outgoing, sent, accept, acceptAll } = setUp(older);
      const restored = [...outgoing.kept];
      outgoing.start();
      const message = outgoing.add('new');
      acceptAll();
      expect(sent.map(([seq]) => seq)).toEqual([3, 4]);
      // The partner has shown two more, which were sent after the state was saved.
      outgoing.receive({ upTo: 6 });
      await Promise.all(restored.map(({ delivered }) => delivered));
      expect(sent.at(-1)).toEqual([7, 'new']);
      accept();
      expect(message.status).toBe('sent');
      expect(outgoing.state).toEqual({ delivered: 6, accepted: 7, texts: ['new'] });
      outgoing.receive({ upTo: 7 });
      await message.delivered;
      // From now on, whatever a partner says, what was never sent is not delivered.
      outgoing.receive({ upTo: 99 });
      outgoing.add('next');
      expect(sent.at(-1)).toEqual([8, 'next']);
    });

    it('goes on at once when nothing has happened since, and after a second with a partner who does not say', () => {
      for (const wait of [
        (outgoing: Outgoing) => outgoing.receive({ upTo: 4 }),
        () => jest.advanceTimersByTime(1000),
      ]) {
        const { outgoing, sent, acceptAll } = setUp(older);
        outgoing.start();
        outgoing.add('new');
        acceptAll();
        expect(sent).toHaveLength(2);
        wait(outgoing);
        acceptAll();
        expect(sent.at(-1)).toEqual([5, 'new']);
      }
    });

    it.each([2 ** 53 - 1, 1_000_000_001, 10_005])('believes no partner who claims to have shown %d', upTo => {
      const { outgoing, sent, acceptAll } = setUp(older);
      outgoing.start();
      outgoing.add('new');
      acceptAll();
      outgoing.receive({ upTo });
      expect(outgoing.state).toEqual({ delivered: 2, accepted: 4, texts: ['c', 'd', 'new'] });
      jest.advanceTimersByTime(1000);
      acceptAll();
      expect(sent.at(-1)).toEqual([5, 'new']);
    });

    it('leaves nothing behind when it stops, and waits again when it is started again', () => {
      const { outgoing, sent, acceptAll } = setUp({ delivered: 2, accepted: 2, texts: [] });
      outgoing.start();
      outgoing.add('new');
      outgoing.stop();
      expect(jest.getTimerCount()).toBe(0);
      jest.advanceTimersByTime(60_000);
      outgoing.start();
      expect(sent).toEqual([]);
      jest.advanceTimersByTime(1000);
      acceptAll();
      expect(sent).toEqual([[3, 'new']]);
    });
  });
});
