import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ChatService, NodeStatus } from '@passerby/core';
import type { Metrics } from './metrics.ts';

/** How often the event loop is looked at, in ms. Much more often would be most of what an idle node does. */
const resolutionMs = 100;

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** What this node says of itself. */
export class OwnStatus {
  readonly #options: { service: ChatService; metrics: Metrics; isDraining: () => boolean };
  readonly #startedAt = Math.round(Date.now() - process.uptime() * 1000);
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  #delayMs = 0;

  constructor(options: { service: ChatService; metrics: Metrics; isDraining: () => boolean }) {
    this.#options = options;
    this.#delay.enable();
  }

  /** @param begin begins anew to measure the delay of the event loop */
  async read({ begin }: { begin: boolean }): Promise<NodeStatus> {
    const { service, metrics, isDraining } = this.#options;
    if (begin) this.#measureDelay();
    const { sessions, ...users } = service.census();
    return {
      ...{ version, startedAt: this.#startedAt, users, sessions },
      ...(await metrics.totals()),
      waitsMs: metrics.recentWaitsMs(),
      rssBytes: process.memoryUsage.rss(),
      eventLoopDelayMs: this.#delayMs,
      draining: isDraining(),
    };
  }

  stop(): void {
    this.#delay.disable();
  }

  #measureDelay(): void {
    // It measures the time between two of its own ticks.
    const lateMs = this.#delay.percentile(99) / 1e6 - resolutionMs;
    this.#delayMs = Math.max(0, Math.round(lateMs * 10) / 10);
    this.#delay.reset();
  }
}
