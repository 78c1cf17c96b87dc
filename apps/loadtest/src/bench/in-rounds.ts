import type { Bench } from './scenario.ts';

/**
 * Lets contestants take turns, round after round, each round beginning with another one, so that whatever else the machine
 * does meets them all.
 * A first round warms up, if not told otherwise, and does not count.
 * @returns for each contestant what its turns gave, one for each round
 */
export async function inRounds<Turn>(
  { repeat, say, warmUp = true }: Pick<Bench, 'repeat' | 'say'> & { warmUp?: boolean },
  contestants: readonly (() => Promise<Turn>)[],
): Promise<Turn[][]> {
  const turns: Turn[][] = contestants.map(() => []);
  for (let round = warmUp ? 0 : 1; round <= repeat; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const index = (turn + round) % contestants.length;
      const result = await contestants[index]?.();
      if (round > 0 && result !== undefined) turns[index]?.push(result);
    }
    say(round === 0 ? 'Warmed up.' : `Round ${round} of ${repeat} is done.`);
  }
  return turns;
}
