import { inRounds } from '../../src/bench/in-rounds.ts';

const bench = { repeat: 4, say: () => {}, signal: new AbortController().signal };

describe('inRounds', () => {
  it('lets each begin, and each come after each, and leaves the first round out', async () => {
    const turns: string[] = [];
    const contestant = (name: string) => () => {
      turns.push(name);
      return Promise.resolve(turns.length);
    };
    const found = await inRounds({ ...bench, repeat: 3 }, ['a', 'b', 'c'].map(contestant));
    const rounds = [0, 3, 6, 9].map(at => turns.slice(at, at + 3).join(''));
    expect(rounds).toEqual(['abc', 'acb', 'cab', 'cba']);
    // Of each, when it had its turn in each round that counts.
    expect(found).toEqual([
      [4, 8, 12],
      [6, 9, 11],
      [5, 7, 10],
    ]);
  });

  it('begins with a round that counts where nothing has to warm up', async () => {
    const turn = jest.fn().mockResolvedValue(1);
    expect(await inRounds({ ...bench, warmUp: false }, [turn])).toEqual([[1, 1, 1, 1]]);
    expect(turn).toHaveBeenCalledTimes(4);
  });

  it('keeps the complete rounds when the run is ended in the middle of one', async () => {
    const stop = new AbortController();
    let turns = 0;
    const first = () => Promise.resolve('first');
    const second = () => {
      turns += 1;
      if (turns < 4) return Promise.resolve('second');
      stop.abort();
      return Promise.reject(new Error('It was killed.'));
    };
    expect(await inRounds({ ...bench, signal: stop.signal }, [first, second])).toEqual([
      ['first', 'first'],
      ['second', 'second'],
    ]);
    const ended = inRounds({ ...bench, signal: stop.signal }, [first, second]);
    await expect(ended).rejects.toThrow(stop.signal.reason);
  });

  it('fails when a turn fails', async () => {
    const turn = jest.fn().mockResolvedValueOnce(1).mockResolvedValueOnce(1).mockRejectedValue(new Error('No.'));
    await expect(inRounds(bench, [turn])).rejects.toThrow('No.');
  });
});
