import { systemClock } from '../clock.ts';
import {
  isLost,
  lostLastsMs,
  type NodeStatus,
  type PoolStatus,
  type RecorderStatus,
  type StatusBoard,
} from '../status/status-board.ts';
import type { MemoryPairStore } from './memory-pair-store.ts';

const recorderLastsMs = 30_000;

/** The model of {@link StatusBoard}, beside the model of the pair store. */
export class MemoryStatusBoard implements StatusBoard {
  readonly #store: MemoryPairStore;
  readonly #now: () => number;
  readonly #nodes = new Map<string, { status: NodeStatus; at: number }>();
  #recorder: { status: RecorderStatus; at: number } | undefined;

  constructor(store: MemoryPairStore, now: () => number = systemClock.date) {
    this.#store = store;
    this.#now = now;
  }

  /** The nodes of which anything is kept. */
  get kept(): string[] {
    return [...this.#nodes.keys()];
  }

  async postNode(nodeId: string, status: NodeStatus): Promise<void> {
    if (!this.#store.leases.get(nodeId)) return;
    const isNew = !this.#nodes.has(nodeId);
    this.#nodes.set(nodeId, { status: structuredClone(status), at: this.#now() });
    if (isNew) this.#tidy();
  }

  async removeNode(nodeId: string): Promise<void> {
    this.#nodes.delete(nodeId);
    this.#tidy();
  }

  async postRecorder(status: RecorderStatus): Promise<void> {
    this.#recorder = { status: structuredClone(status), at: this.#now() };
  }

  async removeRecorder(): Promise<void> {
    this.#recorder = undefined;
  }

  async read(): Promise<PoolStatus> {
    const now = this.#now();
    const { waitingSince } = this.#store;
    const aged = <Status>({ status, at }: { status: Status; at: number }) => ({ status, ageMs: now - at });
    const nodes = [...this.#store.leases].map(([nodeId, lapsesAt]) => {
      const posted = this.#nodes.get(nodeId);
      return { nodeId, lapsed: lapsesAt <= now, last: posted && aged(posted) };
    });
    const lost = [...this.#nodes]
      .map(([nodeId, posted]) => ({ nodeId, last: aged(posted) }))
      .filter(({ nodeId, last }) => !this.#store.leases.has(nodeId) && isLost(last.ageMs));
    const recorder = this.#recorder && now - this.#recorder.at < recorderLastsMs ? aged(this.#recorder) : undefined;
    const oldestWaitMs = waitingSince.length > 0 ? now - Math.min(...waitingSince) : 0;
    return { nodes, lost, recorder, waiting: waitingSince.length, oldestWaitMs };
  }

  #tidy(): void {
    for (const [nodeId, { at }] of this.#nodes) {
      if (!this.#store.leases.has(nodeId) && this.#now() - at >= lostLastsMs) this.#nodes.delete(nodeId);
    }
  }
}
