import { OwnTyping } from '../src/own-typing.ts';
import { PartnerTyping } from '../src/partner-typing.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('the own typing', () => {
  let told: boolean[];
  let typing: OwnTyping;

  beforeEach(() => {
    told = [];
    typing = new OwnTyping(each => told.push(each));
  });

  it('is told at once, and again every 3 s while it goes on', () => {
    typing.set(true);
    expect(told).toEqual([true]);
    typing.set(true);
    jest.advanceTimersByTime(2999);
    expect(told).toEqual([true]);
    jest.advanceTimersByTime(1);
    expect(told).toEqual([true, true]);
    typing.set(false);
    jest.advanceTimersByTime(60_000);
    expect(told).toEqual([true, true, false]);
  });

  it('is told once a second at the most, as it is then', () => {
    for (const each of [true, false, true, false]) typing.set(each);
    jest.advanceTimersByTime(999);
    expect(told).toEqual([true]);
    jest.advanceTimersByTime(1);
    expect(told).toEqual([true, false]);
  });

  it('need not be taken back after a message', () => {
    typing.set(true);
    typing.sent();
    jest.advanceTimersByTime(60_000);
    expect(told).toEqual([true]);
    typing.set(true);
    expect(told).toEqual([true, true]);
  });

  it('that is over before it could be told is not told', () => {
    typing.set(true);
    typing.sent();
    typing.set(true);
    typing.set(false);
    jest.advanceTimersByTime(60_000);
    expect(told).toEqual([true]);
  });

  it('is told no more when nobody is there, and anew when somebody is', () => {
    typing.set(true);
    typing.stop();
    jest.advanceTimersByTime(60_000);
    expect(told).toEqual([true]);
    typing.set(true);
    expect(told).toEqual([true, true]);
  });
});

describe('the typing of the partner', () => {
  it('is told when it changes, and lapses 6 s after it was last heard of', () => {
    const told: boolean[] = [];
    const typing = new PartnerTyping(each => told.push(each));
    typing.set(false);
    typing.set(true);
    jest.advanceTimersByTime(5999);
    typing.set(true);
    jest.advanceTimersByTime(5999);
    expect(told).toEqual([true]);
    jest.advanceTimersByTime(1);
    expect(told).toEqual([true, false]);
    typing.set(true);
    typing.set(false);
    jest.advanceTimersByTime(60_000);
    expect(told).toEqual([true, false, true, false]);
  });
});
