import type { ChatService, Lease, Meter } from '@passerby/core';
import type { ErrorCode } from '@passerby/protocol';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** How often the event loop is looked at, in ms. The library's default of 10 is most of what an idle node does. */
const loopSampleMs = 100;

/** What this process counts, for Prometheus. Each figure is of this node; their sum over all nodes is the cluster's. */
export class Metrics implements Meter {
  readonly registry = new Registry();
  readonly #matches = this.#counter('passerby_matches_total', 'Sessions that began.');
  readonly #messages = this.#counter('passerby_messages_total', 'Messages passed on, by route.', ['route']);
  readonly #dropped = this.#counter('passerby_messages_dropped_total', 'Messages that came after their session ended.');
  readonly #errors = this.#counter('passerby_errors_total', 'Errors that clients got, by code.', ['code']);
  readonly #scripts = new Histogram({
    name: 'passerby_script_seconds',
    help: 'Time of a Lua script, from the call to the reply.',
    labelNames: ['script'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: loopSampleMs });
    for (const route of ['local', 'remote']) this.#messages.inc({ route }, 0);
  }

  matched(): void {
    this.#matches.inc();
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

  #counter(name: string, help: string, labelNames: string[] = []): Counter<string> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
