import { flow } from '../../src/bench/flow.ts';
import { percentile } from '../../src/bench/percentile.ts';

type Pair = Parameters<typeof flow>[0][number];

/** Keeps this process from doing anything else. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Clients whose messages arrive at once, after `before` has been called with the number of the message. */
function pairOfNobodies(before: (message: number) => void = () => {}): Pair {
  let messages = 0;
  const pair: Pair = {
    onSend: () => {},
    onMessage: () => {},
    onFault: () => {},
    send: from => {
      pair.onSend(from);
      messages += 1;
      before(messages);
      pair.onMessage(from);
    },
  };
  return pair;
}

const load = { messagesPerSecond: 500, seconds: 0.2 };

describe('flow', () => {
  it('sends as many as were due, whatever comes back', async () => {
    const { messages, latenciesMs } = await flow([pairOfNobodies()], load);
    expect(messages).toBe(100);
    expect(latenciesMs.filter(ms => ms >= 0)).toHaveLength(100);
  });

  it('counts from the moment that was due, so that who is late hides nothing', async () => {
    const { latenciesMs, latenessMs } = await flow([pairOfNobodies(message => message === 20 && block(60))], load);
    // Some 30 messages were due meanwhile, all sent late and at once, and none took any time once it was sent.
    expect(percentile(latenessMs, 0.8)).toBeGreaterThan(5);
    expect(percentile(latenciesMs, 0.99)).toBeGreaterThan(40);
    latenessMs.forEach((late, at) => {
      expect(latenciesMs[at]).toBeGreaterThanOrEqual(late);
    });
  });

  it('fails at a fault of the server', async () => {
    const pair = pairOfNobodies(() => pair.onFault(new Error('A client got error.')));
    await expect(flow([pair], load)).rejects.toThrow('A client got error.');
  });
});

describe('percentile', () => {
  it('is the value below which a share of all lies', () => {
    const values = Float64Array.from([5, 1, 4, 2, 3]);
    expect([0, 0.5, 0.99].map(share => percentile(values, share))).toEqual([1, 3, 5]);
    expect(percentile(new Float64Array(), 0.5)).toBeNaN();
  });
});
