import { Incoming } from '../src/incoming.ts';

function setUp(shown?: number) {
  const receipts: { upTo: number; resend?: boolean }[] = [];
  const texts: number[] = [];
  const fates: number[] = [];
  const incoming = new Incoming({
    shown,
    transmit: (receipt, failed) => {
      receipts.push(receipt);
      const retryAfterMs = fates.shift();
      if (retryAfterMs !== undefined) failed(retryAfterMs);
    },
  });
  const take = (...numbers: number[]) => {
    for (const seq of numbers) incoming.take(seq, () => texts.push(seq));
  };
  return { incoming, receipts, texts, take, fates };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.clearAllTimers();
  jest.useRealTimers();
});

describe('the incoming messages', () => {
  it('are shown once and in order', () => {
    const { take, texts } = setUp();
    take(1, 1, 3, 2, 1, 2, 3, 5, 4);
    expect(texts).toEqual([1, 2, 3, 4]);
  });

  it('are always shown when they have no number', () => {
    const { incoming, receipts } = setUp();
    const show = jest.fn();
    incoming.take(undefined, show);
    incoming.take(undefined, show);
    expect(show).toHaveBeenCalledTimes(2);
    expect(receipts).toEqual([]);
  });

  it('are shown before they are acknowledged', () => {
    const { incoming, receipts } = setUp();
    incoming.take(1, () => expect(receipts).toEqual([]));
    expect(receipts).toEqual([{ upTo: 1 }]);
  });

  it('are acknowledged at once, then together', () => {
    const { take, receipts } = setUp();
    take(1, 2, 3);
    expect(receipts).toEqual([{ upTo: 1 }]);
    jest.advanceTimersByTime(399);
    expect(receipts).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(receipts).toEqual([{ upTo: 1 }, { upTo: 3 }]);
    jest.advanceTimersByTime(60_000);
    expect(receipts).toHaveLength(2);
  });

  it('are acknowledged again when they come again', () => {
    const { take, receipts } = setUp();
    take(1);
    jest.advanceTimersByTime(1000);
    take(1);
    expect(receipts).toEqual([{ upTo: 1 }, { upTo: 1 }]);
  });

  it('are asked for when one is missing: once in a second, until they come', () => {
    const { take, receipts, texts } = setUp();
    take(2, 3, 4, 5);
    expect(receipts).toEqual([{ upTo: 0, resend: true }]);
    jest.advanceTimersByTime(1000);
    expect(receipts).toHaveLength(2);
    take(1, 2);
    expect(texts).toEqual([1, 2]);
    // There was progress: the next gap is another one.
    take(4);
    expect(receipts.at(-1)).toEqual({ upTo: 2, resend: true });
  });

  it('are asked for at once after an interruption', () => {
    const { incoming, receipts } = setUp(7);
    incoming.ask();
    incoming.ask();
    expect(receipts).toEqual([
      { upTo: 7, resend: true },
      { upTo: 7, resend: true },
    ]);
  });

  it('are asked for from the first that is left, when it went on from an older place than was acknowledged', () => {
    const { incoming, take, receipts, texts } = setUp(3);
    incoming.ask();
    take(11);
    incoming.beginFrom(11);
    expect(receipts).toEqual([
      { upTo: 3, resend: true },
      { upTo: 10, resend: true },
    ]);
    take(11, 12);
    expect(texts).toEqual([11, 12]);
    // What was told late is known.
    incoming.beginFrom(9);
    take(13);
    expect(texts).toEqual([11, 12, 13]);
  });

  it.each([2 ** 53 - 1, 1_000_000_001, 10_004])('are not believed to begin with %d', from => {
    const { incoming, take, receipts, texts } = setUp(3);
    incoming.beginFrom(from);
    take(4);
    expect(texts).toEqual([4]);
    expect(receipts).toEqual([{ upTo: 4 }]);
  });

  it('tell a partner who asks for what is gone what is left, once', () => {
    const { incoming, receipts } = setUp(2);
    incoming.tell(7);
    incoming.tell();
    jest.advanceTimersByTime(400);
    expect(receipts).toEqual([{ upTo: 2, from: 7 }, { upTo: 2 }]);
  });

  it('are acknowledged later when the server cannot pass it on', () => {
    const { take, incoming, fates, receipts } = setUp();
    fates.push(3000);
    take(1);
    jest.advanceTimersByTime(2999);
    expect(receipts).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(receipts).toEqual([{ upTo: 1 }, { upTo: 1 }]);
    fates.push(3000);
    incoming.ask();
    jest.advanceTimersByTime(3000);
    expect(receipts.at(-1)).toEqual({ upTo: 1, resend: true });
  });

  it('leave nothing behind when it stops', () => {
    const { take, incoming, fates, receipts } = setUp();
    fates.push(1000);
    take(1, 2, 9);
    incoming.stop();
    expect(jest.getTimerCount()).toBe(0);
    expect(receipts).toHaveLength(2);
  });
});
