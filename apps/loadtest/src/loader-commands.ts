import type { ScenarioName } from './scenario.ts';
import type { SideReport } from './session-side.ts';
import type { TallyPart } from './tally.ts';

/** What a worker is told at the beginning. */
export interface LoaderSetup {
  scenario: ScenarioName;
  run: string;
  targets: readonly string[];
  /** Of the whole run; this worker has every `workers`th of them. */
  users: number;
  index: number;
  workers: number;
  messageCharacters: number;
  /** How long users of `chat` talk on average. */
  talkMs: number;
  /** When the first user connects, on the clock of `now()`, and how long it takes until the last does. */
  at: number;
  rampMs: number;
}

/** What a worker has to tell. */
export interface LoaderNews {
  tally: TallyPart;
  /** Sides of sessions that are over. */
  sides: SideReport[];
  /** A sentence for each of the first mismatches. */
  complaints: string[];
}

/** What a worker has to tell in the end. */
export interface LoaderEnd extends LoaderNews {
  /** Users without a connection. */
  away: number;
  /** Users who have searched for long, and in vain. */
  waiting: number;
}

/** Over the sessions that are going on, and all users. */
export interface Underway {
  accepted: number;
  received: number;
  /** Users who search. */
  waiting: number;
  /** Whether answers are missing: to messages, or to what else was asked before `stop`. */
  pending: boolean;
}

/** What the coordinator asks of a worker. Times are on the clock of `now()`. */
export interface LoaderCommands {
  /** Connects the users. */
  start(setup: LoaderSetup): void;
  /** Resolves when all users are what the scenario needs them to be. */
  ready(): Promise<void>;
  /** @param perSecond this worker's share */
  load(options: { at: number; durationMs: number; perSecond: number }): void;
  rate(perSecond: number): void;
  /** Begins nothing new. */
  stop(): void;
  /** What happened since the last call. */
  news(): LoaderNews;
  underway(): Underway;
  /**
   * All that was not told yet, also of sessions that are going on. Nothing counts after that.
   * @param complete whether all that was promised must have come
   */
  settle(complete: boolean): LoaderEnd;
  /** Says goodbye to the target. */
  close(): void;
}
