import type { ChatService, Lease, Meter, NodeStatus } from '@passerby/core';
import type { ErrorCode } from '@passerby/protocol';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Deferrable, Overload } from './overload.ts';
import type { PoolReport } from './pool-watch.ts';

/** So many waits are remembered, and for so long, in ms: from all nodes together, enough to tell what is usual now. */
const mostWaits = 20;
const waitsLastMs = 5 * 60_000;

/** How often the event loop is looked at, in ms. The library's default of 10 is most of what an idle node does. */
const loopSampleMs = 100;

/** What this process counts, for Prometheus. Each figure is of this node; their sum over all nodes is the cluster's. */
export class Metrics implements Meter {
  readonly registry = new Registry();
  readonly #matches = this.#counter('passerby_matches_total', 'Sessions that began.');
  readonly #messages = this.#counter('passerby_messages_total', 'Messages passed on, by route.', ['route']);
  readonly #dropped = this.#counter('passerby_messages_dropped_total', 'Messages that came after their session ended.');
  readonly #errors = this.#counter('passerby_errors_total', 'Errors that clients got, by code.', ['code']);
  readonly #refusals = this.#counter('passerby_refusals_total', 'What the node refused to take, by reason.', [
    'reason',
  ]);
  readonly #putOff = this.#counter(
    'passerby_put_off_total',
    'What was refused for now, as the node had too much to do.',
    ['what'],
  );
  readonly #scripts = new Histogram({
    name: 'passerby_script_seconds',
    help: 'Time of a Lua script, from the call to the reply, for each user whom it served.',
    labelNames: ['script'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    registers: [this.registry],
  });

  /** Those of users who did not find somebody at once. */
  #waits: { at: number; ms: number }[] = [];

  constructor() {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: loopSampleMs });
    for (const route of ['local', 'remote']) this.#messages.inc({ route }, 0);
  }

  matched(waitedMs: number): void {
    this.#matches.inc();
    if (waitedMs > 0) this.#waits = [...this.#waits.slice(1 - mostWaits), { at: performance.now(), ms: waitedMs }];
  }

  relayed(route: 'local' | 'remote'): void {
    this.#messages.inc({ route });
  }

  dropped(): void {
    this.#dropped.inc();
  }

  errorSent(code: ErrorCode): void {
    this.#errors.inc({ code });
  }

  /** A connection or a request was not let in, or was closed for what it did. */
  refused(reason: string): void {
    this.#refusals.inc({ reason });
  }

  /** @param what `drop`: a TCP connection that was hung up on without an answer */
  putOff(what: Deferrable | 'drop'): void {
    this.#putOff.inc({ what });
  }

  /** What has been counted so far. */
  async totals(): Promise<Pick<NodeStatus, 'matches' | 'messages' | 'errors'>> {
    const [matches, messages, errors] = await Promise.all([this.#matches, this.#messages, this.#errors].map(sumsOf));
    return { matches: total(matches), messages: total(messages), errors: errors ?? {} };
  }

  /** How long those waited who were matched in the last minutes, in ms. */
  recentWaitsMs(): number[] {
    const since = performance.now() - waitsLastMs;
    return this.#waits.flatMap(({ at, ms }) => (at > since ? [Math.round(ms)] : []));
  }

  scriptTook(script: string, seconds: number): void {
    this.#scripts.observe({ script }, seconds);
  }

  /** Adds the gauges that are read when Prometheus asks. */
  observe(service: ChatService, lease: Lease, isReady: () => boolean): void {
    const gauge = (name: string, help: string, collect: (this: Gauge<string>) => void, labelNames: string[] = []) =>
      new Gauge({ name, help, labelNames, collect, registers: [this.registry] });
    gauge(
      'passerby_users',
      'Connected users, by state.',
      function () {
        const { idle, waiting, paired } = service.census();
        this.set({ state: 'idle' }, idle);
        this.set({ state: 'waiting' }, waiting);
        this.set({ state: 'paired' }, paired);
      },
      ['state'],
    );
    gauge('passerby_sessions', 'Sessions now, each counted on one node only.', function () {
      this.set(service.census().sessions);
    });
    gauge('passerby_outbox_facts', 'Session facts that wait for the recorder, in the whole pool.', function () {
      this.set(lease.waitingFacts);
    });
    gauge('passerby_ready', '1 if this node can take users.', function () {
      this.set(isReady() ? 1 : 0);
    });
  }

  /** Adds what the node can bear. */
  observeOverload(overload: Overload): void {
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name: `passerby_${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.set(value());
        },
      });
    gauge('overloaded', '1 while it sends new users elsewhere.', () => Number(overload.overloaded));
    gauge(
      'connection_pace',
      'Connections a second that it would take at the most.',
      () => overload.connectionsPerSecond,
    );
    gauge('memory_used', 'Share of the memory that was in use after garbage was collected.', () => overload.memory);
  }

  /** Adds what is known of the whole pool: every node says the same, so it is not to be added up. */
  observePool(known: () => PoolReport | undefined): void {
    const gauge = (name: string, help: string, value: (pool: PoolReport) => number) =>
      new Gauge({
        name: `passerby_pool_${name}`,
        help: `${help} Of the whole pool, and the same on every node: take the greatest, not the sum.`,
        registers: [this.registry],
        collect() {
          const pool = known();
          if (pool) this.set(value(pool));
          else this.remove();
        },
      });
    const count = (nodes: PoolReport['nodes'], is: (node: PoolReport['nodes'][0]) => boolean | undefined) =>
      nodes.filter(is).length;
    gauge('nodes', 'Nodes with a lease.', ({ nodes }) => count(nodes, node => !node.lapsed));
    gauge('lapsed_nodes', 'Nodes whose lease lapsed, and whose users are not taken over yet.', ({ nodes }) =>
      count(nodes, node => node.lapsed),
    );
    gauge('draining_nodes', 'Nodes that are being stopped.', ({ nodes }) =>
      count(nodes, node => node.last?.status.draining),
    );
    gauge('waiting_users', 'Users in the queue.', ({ waiting }) => waiting);
    gauge('oldest_wait_seconds', 'How long the first in the queue has waited.', pool => pool.oldestWaitMs / 1000);
    gauge(
      'outbox_lag_seconds',
      'Age of the oldest fact that waits for the recorder.',
      pool => pool.outbox.oldestAgeMs / 1000,
    );
    gauge('recording', '1 while a recorder says that it records.', pool => (pool.recorder?.status.recording ? 1 : 0));
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter<string> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}

/** The values of a counter, by their one label. */
async function sumsOf(counter: Counter<string>): Promise<{ [label: string]: number }> {
  const { values } = await counter.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(Object.values(labels)[0] ?? ''), value]));
}

function total(sums: { [label: string]: number } = {}): number {
  return Object.values(sums).reduce((sum, value) => sum + value, 0);
}
