import { Mailbox } from '../src/chat/mailbox.ts';
import { settled } from './test-cluster.ts';

describe('a mailbox', () => {
  let mailbox: Mailbox;
  let story: string[];
  const act = (name: string) => async () => {
    story.push(`${name} begins`);
    await settled();
    story.push(`${name} ends`);
    return name;
  };

  beforeEach(() => {
    mailbox = new Mailbox();
    story = [];
  });

  it('begins at once when nothing is under way', async () => {
    const done = mailbox.post('command', act('first'));
    expect(story).toEqual(['first begins']);
    expect(mailbox.isBusy).toBe(true);
    expect(await done).toBe('first');
    expect(mailbox.isBusy).toBe(false);
  });

  it('does one thing after the other, of whatever kind, also after one that failed', async () => {
    const fail = async () => {
      await act('first')();
      throw new Error('x');
    };
    const first = mailbox.post('command', fail);
    const others = [mailbox.post('arrival', act('second')), mailbox.post('delivery', () => void story.push('third'))];
    await expect(first).rejects.toThrow('x');
    await Promise.all(others);
    expect(story).toEqual(['first begins', 'first ends', 'second begins', 'second ends', 'third']);
    expect(mailbox.isBusy).toBe(false);
  });

  it('waits for what the user sent before, but for a delivery', async () => {
    let fail: (error: Error) => void = () => undefined;
    const sent = new Promise((_resolve, reject) => {
      fail = reject;
    });
    mailbox.sending(sent);
    const delivery = mailbox.post('delivery', () => void story.push('delivery'));
    const departure = mailbox.post('departure', () => void story.push('departure'));
    await delivery;
    await settled();
    expect(story).toEqual(['delivery']);
    fail(new Error('x'));
    await departure;
    expect(story).toEqual(['delivery', 'departure']);
  });

  it.each([
    ['command', 50],
    ['delivery', 50],
    ['arrival', 3],
  ] as const)('is full of the kind %s with %i of them', async (kind, most) => {
    const posted = Array.from({ length: most - 1 }, () => mailbox.post(kind, act(kind)));
    expect(mailbox.isFull(kind)).toBe(false);
    posted.push(mailbox.post(kind, act(kind)));
    expect(mailbox.isFull(kind)).toBe(true);
    await posted[0];
    expect(mailbox.isFull(kind)).toBe(false);
    await Promise.all(posted);
    expect(mailbox.has(kind)).toBe(false);
  });

  it('knows which session the commands in it end, until they are done', async () => {
    const [one, two] = [{ sessionId: 'one' }, { sessionId: 'two' }];
    const first = mailbox.post('command', act('skip'), { ends: one });
    const second = mailbox.post('command', act('end'), { ends: 'any' });
    expect([mailbox.isEnding(one), mailbox.isEnding(two)]).toEqual([true, true]);
    await second;
    await first;
    expect([mailbox.isEnding(one), mailbox.isLeaving]).toEqual([false, false]);
  });
});
