import { Turns } from '../src/turns.ts';
import { settled } from './test-cluster.ts';

describe('Turns', () => {
  it('begins at once when nothing else is done about the user', () => {
    const turns = new Turns();
    const act = jest.fn(async () => undefined);
    void turns.take('ann', act);
    void turns.take('bob', act);
    expect(act).toHaveBeenCalledTimes(2);
  });

  it('does one thing after the other, also after one that failed, and holds nothing afterwards', async () => {
    const turns = new Turns();
    const story: string[] = [];
    const act = (name: string) => async () => {
      story.push(`${name} begins`);
      await settled();
      story.push(`${name} ends`);
      if (name === 'first') throw new Error(name);
      return name;
    };
    const [first, second] = [turns.take('ann', act('first')), turns.take('ann', act('second'))];
    expect(turns.length('ann')).toBe(2);
    await expect(first).rejects.toThrow('first');
    expect(await second).toBe('second');
    expect(story).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
    await settled();
    expect(turns.length('ann')).toBe(0);
  });

  it('goes on with what waits when something that waited failed', async () => {
    const turns = new Turns();
    const fail = async () => {
      await settled();
      throw new Error('x');
    };
    const results = await Promise.allSettled([1, 2, 3].map(() => turns.take('ann', fail)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await turns.take('ann', async () => 'done')).toBe('done');
  });
});
