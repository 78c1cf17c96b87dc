import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** What the recorder tells Prometheus. */
export class Metrics {
  readonly registry = new Registry();
  readonly lagSeconds = this.#gauge('lag_seconds', 'Age of the oldest fact that waits in the outbox.');
  readonly backlog = this.#gauge('backlog_facts', 'Facts that wait in the outbox.');
  readonly pastHighWater = this.#gauge('past_high_water', '1 while more facts wait than OUTBOX_HIGH_WATER, else 0.');
  readonly refused = this.#gauge('refused_facts', 'Facts set aside: refused by PostgreSQL, or unreadable.');
  readonly facts = new Counter({
    name: 'passerby_recorder_facts_total',
    help: 'Facts recorded. The ones of kind "started" are the sessions.',
    labelNames: ['pool', 'kind'] as const,
    registers: [this.registry],
  });
  readonly batches = this.#counter('batches_total', 'Batches committed.');
  readonly swept = this.#counter('swept_sessions_total', 'Sessions closed as lost, because they were left open.');
  readonly failures = this.#counter('failures_total', 'Rounds that failed and are tried again.');

  constructor() {
    // Looks at the event loop every 100 ms. The default of 10 is most of what an idle recorder does.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 100 });
  }

  #gauge(name: string, help: string) {
    return new Gauge({ name: `passerby_recorder_${name}`, help, labelNames: ['pool'], registers: [this.registry] });
  }

  #counter(name: string, help: string) {
    return new Counter({ name: `passerby_recorder_${name}`, help, labelNames: ['pool'], registers: [this.registry] });
  }
}
