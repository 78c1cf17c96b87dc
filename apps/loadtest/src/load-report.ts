/** Of one kind of waiting, over a whole run. All but `count` are in ms. */
export interface Latency {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/**
 * What is waited for: `connect` until the connection is accepted, `match` from search to matched, `delivery` from one
 * user's sending to the other's seeing, `reconnect` until a user who was cut off is back. Each is counted from when it
 * should have begun, so that a slow server cannot hide its waiting time.
 */
export type LatencyName = 'connect' | 'match' | 'delivery' | 'reconnect';

/** What a server on this machine used. */
export interface ServerSample {
  /** Such as `chat node 1` or `Redis`; the same name is the same server in all samples. */
  readonly name: string;
  /** User and system time as a share of one core: a server of several threads may use more than 1. */
  readonly cpu: number;
  readonly rssBytes: number;
}

/** One second of a run; the last sample may be of less. */
export interface Sample {
  /** ms since the start of the run, at the end of what the sample counts; the sample before tells its beginning. */
  readonly at: number;
  /** Users who were connected then. */
  readonly connected: number;
  /** Users who had a partner then. */
  readonly paired: number;
  /** How often it happened within the second; the same goes for those below. */
  readonly connects: number;
  readonly matches: number;
  readonly sent: number;
  readonly delivered: number;
  readonly errors: number;
  /** In ms, of what ended within the second; a kind of which nothing ended is absent. */
  readonly latencies: Readonly<Partial<Record<LatencyName, { p50: number; p99: number; max: number }>>>;
  /**
   * The load tester itself. `cpu`: the share of one core that its busiest process used, 0 to 1. `loopDelayMs`: the 99th
   * percentile of how late its event loop was, at its worst process. Near 1, or late, it measures itself.
   */
  readonly loader: { readonly cpu: number; readonly loopDelayMs: number };
  /** Empty where the servers run elsewhere or cannot be told. */
  readonly servers: readonly ServerSample[];
}

/** One load that the search for the limit tried. */
export interface LimitStep {
  readonly rate: number;
  /** What `rate` counts, to follow it: `messages per second`. */
  readonly unit: string;
  /** 99th percentile of the latency that is judged, in ms. */
  readonly p99: number;
  /** Who could do no more at this load. */
  readonly saturated: 'no' | 'server' | 'loader';
}

export interface Totals {
  readonly connects: number;
  readonly matches: number;
  readonly sent: number;
  readonly delivered: number;
  readonly disconnects: number;
}

/** A stretch of a run, in ms since the start of the run, and what happened in it. */
export interface LoadTime {
  readonly from: number;
  readonly to: number;
  readonly totals: Totals;
}

/** What a run was and what it showed: the JSON file, and what the summary and the page are made from. */
export interface LoadReport {
  /** Of this shape. */
  readonly version: 1;
  readonly scenario: string;
  readonly targets: readonly string[];
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** Whether it was ended before its time. */
  readonly interrupted: boolean;
  readonly totals: Totals & {
    /** Messages that did not arrive and need not have: their chat ended meanwhile, or a connection was lost. */
    readonly unconfirmed?: number;
  };
  /**
   * The time in which the load was on: after the users had got ready, and before what was on its way was waited for. Rates are
   * of this time. Absent when it did not come to that, and for a search for the limit, whose loads differ.
   */
  readonly load?: LoadTime;
  readonly latencies: Readonly<Partial<Record<LatencyName, Latency>>>;
  /** How many, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** How many, by kind, such as `wrong chat`, `repeated`, `order` or `lost`. Any makes the run a failed one. */
  readonly mismatches: Readonly<Record<string, number>>;
  /**
   * Of so many users, those who had lost the connection and were not back in the end, if they could resume, and those who had
   * searched for long. One who waits may be the odd one. Absent when the run did not come to its end.
   */
  readonly stranded?: { readonly users: number; readonly away: number; readonly waiting: number };
  /** Only of a run that searched for the limit. */
  readonly limit?: {
    readonly steps: readonly LimitStep[];
    /** The highest rate that was carried. */
    readonly found: number;
    /** A sentence that says what ended the search. */
    readonly because: string;
  };
  readonly samples: readonly Sample[];
}
