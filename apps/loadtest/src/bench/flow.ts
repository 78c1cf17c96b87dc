import type { PairOfClients } from './pair-of-clients.ts';

const waitForLastMs = 10_000;

export interface FlowOptions {
  messagesPerSecond: number;
  seconds: number;
}

export interface Flowed {
  messages: number;
  /** From the moment at which the message was due to its arrival, in ms. */
  latenciesMs: Float64Array;
  /** By how much the loader was late to send, in ms; this is part of the latency. */
  latenessMs: Float64Array;
}

/**
 * Pairs send at a fixed rate, whatever comes back: the load does not slow down for a slow server. Messages are due at random
 * moments (a Poisson process) and are sent by a timer of 1 ms; a side is drawn for each. A latency counts from the moment that
 * was due, so that neither a server nor a loader that is behind hides what had to wait.
 */
export async function flow(
  pairs: readonly Pick<PairOfClients, 'send' | 'onSend' | 'onMessage' | 'onFault'>[],
  { messagesPerSecond, seconds }: FlowOptions,
): Promise<Flowed> {
  const count = Math.round(messagesPerSecond * seconds);
  const latenciesMs = new Float64Array(count);
  const latenessMs = new Float64Array(count);
  let arrived = 0;
  let sent = 0;
  let dueAt = performance.now();
  return new Promise((resolve, reject) => {
    const over = () => {
      clearTimeout(tooLate);
      clearInterval(ticks);
    };
    const fail = (error: Error) => {
      over();
      reject(error);
    };
    const tooLate = setTimeout(
      () => fail(new Error(`Of ${count} messages ${count - arrived} did not arrive.`)),
      seconds * 1000 + waitForLastMs,
    );
    for (const pair of pairs) {
      const dueTimes: [number[], number[]] = [[], []];
      pair.onFault = fail;
      pair.onSend = from => void dueTimes[from].push(dueAt);
      pair.onMessage = from => {
        latenciesMs[arrived] = performance.now() - (dueTimes[from].shift() ?? Number.NaN);
        arrived += 1;
        if (arrived < count) return;
        over();
        resolve({ messages: count, latenciesMs, latenessMs });
      };
    }
    const ticks = setInterval(() => {
      for (let now = performance.now(); dueAt <= now && sent < count; now = performance.now()) {
        latenessMs[sent] = now - dueAt;
        sent += 1;
        const side = Math.random() < 0.5 ? 0 : 1;
        pairs[Math.floor(Math.random() * pairs.length)]?.send(side);
        dueAt += (-Math.log(1 - Math.random()) * 1000) / messagesPerSecond;
      }
    }, 1);
  });
}
