import type { LatencyName } from './load-report.ts';
import type { LoadUser, UserListener } from './load-user.ts';
import { Chat } from './scenarios/chat.ts';
import { Idle } from './scenarios/idle.ts';
import { Match } from './scenarios/match.ts';
import { Relay } from './scenarios/relay.ts';
import { Storm } from './scenarios/storm.ts';
import type { Tally } from './tally.ts';

/** The load of one worker. */
export interface Load {
  users: readonly LoadUser[];
  /** When it begins, on the clock of `now()`. */
  at: number;
  durationMs: number;
  /** This worker's share. */
  perSecond: number;
  /** How long users who talk do so on average. */
  talkMs: number;
  tally: Tally;
}

/** What the users of a worker do. It hears of them from the beginning, and puts load on the target between begin and stop. */
export interface Scenario extends UserListener {
  begin(load: Load): void;
  /** Goes on with another rate. */
  setRate(perSecond: number): void;
  stop(): void;
}

export interface ScenarioKind {
  /** What its users do, in a few words. */
  does: string;
  /** What the rate counts; without it, there is no rate to choose. */
  rate?: { unit: string; default: (users: number) => number };
  /** The latency that tells whether the target carries the load. */
  judged: LatencyName;
  /** What all users must be before the load begins. */
  ready: 'connected' | 'paired';
  resumes: boolean;
  /** Default of how long it takes until all have connected, in ms. */
  rampMs: (users: number) => number;
  make: () => Scenario;
}

export type ScenarioName = 'chat' | 'relay' | 'match' | 'storm' | 'idle';

const gently = (users: number): number => Math.max(1000, users);
const messages = 'messages per second';

export const scenarios: Record<ScenarioName, ScenarioKind> = {
  chat: {
    does: 'search, talk for a while, skip, like people do',
    rate: { unit: messages, default: users => users / 5 },
    ...{ judged: 'delivery', ready: 'connected', resumes: false, rampMs: gently },
    make: () => new Chat(),
  },
  relay: {
    does: 'are paired once, then write messages',
    rate: { unit: messages, default: users => users },
    ...{ judged: 'delivery', ready: 'paired', resumes: false, rampMs: gently },
    make: () => new Relay(),
  },
  match: {
    does: 'search, and end as soon as they are matched',
    rate: { unit: 'searches per second', default: users => users },
    ...{ judged: 'match', ready: 'connected', resumes: false, rampMs: gently },
    make: () => new Match(),
  },
  storm: {
    does: 'connect all at once, and twice lose the connection and come back all at once',
    ...{ judged: 'reconnect', ready: 'paired', resumes: true, rampMs: () => 0 },
    make: () => new Storm(),
  },
  idle: {
    does: 'are connected, and do nothing',
    ...{ judged: 'connect', ready: 'connected', resumes: false, rampMs: gently },
    make: () => new Idle(),
  },
};
