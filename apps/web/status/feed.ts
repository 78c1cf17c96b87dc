import { mergeSamples } from './merge-samples.ts';
import type { Report } from './report.ts';

const askEveryMs = 2000;
const answerWithinMs = 5000;

/** How the asking goes. `refused`: the token is wrong. */
export type FeedState = 'asking' | 'live' | 'failing' | 'refused';

export interface FeedNews {
  state: FeedState;
  /** The last answer, with all samples that are kept. */
  report: Report | undefined;
  /** When it came, in ms since the epoch. */
  answeredAt: number;
  problem: string;
}

/** Asks how the pool is, again and again while the page is seen, until the signal ends it or the token is refused. */
export async function follow(token: string, tell: (news: FeedNews) => void, signal: AbortSignal): Promise<void> {
  let news: FeedNews = { state: 'asking', report: undefined, answeredAt: 0, problem: '' };
  const change = (changes: Partial<FeedNews>) => {
    news = { ...news, ...changes };
    if (!signal.aborted) tell(news);
  };
  while (!signal.aborted) {
    await shown(signal);
    try {
      const since = news.report?.samples.at(-1)?.at ?? 0;
      const answer = await fetch(`../admin/status?since=${since}`, {
        headers: { authorization: `Bearer ${token}` },
        cache: 'no-store',
        signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]),
      });
      if (answer.status === 401) return change({ state: 'refused' });
      if (!answer.ok) throw new Error(await reason(answer));
      const report = (await answer.json()) as Report;
      const samples = mergeSamples(news.report?.samples ?? [], report.samples);
      change({ state: 'live', report: { ...report, samples }, answeredAt: Date.now(), problem: '' });
    } catch (error) {
      if (!signal.aborted) change({ state: 'failing', problem: describe(error) });
    }
    await pause(askEveryMs, signal);
  }
}

async function reason(answer: Response): Promise<string> {
  const { error } = (await answer.json().catch(() => ({}))) as { error?: string };
  return error ?? `The answer was ${answer.status}.`;
}

function describe(error: unknown): string {
  if (error instanceof DOMException || error instanceof TypeError) return 'No node answers.';
  return error instanceof Error ? error.message : String(error);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

function shown(signal: AbortSignal): Promise<void> {
  if (!document.hidden || signal.aborted) return Promise.resolve();
  return new Promise(resolve => {
    document.addEventListener('visibilitychange', () => resolve(), { once: true, signal });
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
