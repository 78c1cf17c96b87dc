import type { Bench } from './scenario.ts';

/** So often it is told how far it has got. */
const mostSentences = 5;

/**
 * Lets contestants take turns, round after round, so that whatever else the machine does meets them all. Each round begins with
 * another one, and every second one goes the other way about, so that nobody always comes after the same.
 * A first round warms up, if not told otherwise, and does not count.
 * @returns for each contestant what its turns gave, one for each round; fewer rounds when the run was ended meanwhile
 * @throws what a turn throws; when the run was ended, only if there is no complete round
 */
export async function inRounds<Turn>(
  { repeat, say, signal, warmUp = true }: Pick<Bench, 'repeat' | 'say' | 'signal'> & { warmUp?: boolean },
  contestants: readonly (() => Promise<Turn>)[],
): Promise<Turn[][]> {
  const rounds: Turn[][] = [];
  for (let round = warmUp ? 0 : 1; round <= repeat; round++) {
    const turns: Turn[] = [];
    try {
      for (const index of orderOf(round, contestants.length)) {
        signal.throwIfAborted();
        turns[index] = await (contestants[index] as () => Promise<Turn>)();
      }
    } catch (error) {
      if (!signal.aborted || rounds.length === 0) throw error;
      break;
    }
    if (round > 0) rounds.push(turns);
    if (round === 0) say('Warmed up.');
    else if (round % Math.ceil(repeat / mostSentences) === 0 || round === repeat) {
      say(`Round ${round} of ${repeat} is done.`);
    }
  }
  return contestants.map((_, index) => rounds.map(turns => turns[index] as Turn));
}

/** The numbers of the contestants in the order of their turns. */
function orderOf(round: number, count: number): number[] {
  const order = Array.from({ length: count }, (_, turn) => (turn + round) % count);
  return round % 2 === 0 ? order : order.toReversed();
}
