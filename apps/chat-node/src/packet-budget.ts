import type { TokenBuckets } from './token-buckets.ts';

/** A connection that has sent less than this share of its budget is not closed for what others of its address send. */
const modestShare = 1 / 20;

export interface PacketLimits {
  /** What one connection may send at once. */
  points: number;
  /** It may send as much again after this. */
  seconds: number;
  /** What all connections of an address may send together. */
  addresses: TokenBuckets;
  /** A packet counts once, and once more for each time that it is as long as this, in bytes. */
  unitBytes: number;
}

/** What a connection may send, whatever it is, before anything is done about it: a token bucket, and its part in the address's. */
export class PacketBudget {
  readonly #limits: PacketLimits;
  readonly #address: string;
  readonly #fillMs: number;
  readonly #pointMs: number;
  /** When the bucket is full again, on the clock of `performance.now()`: see {@link TokenBuckets}. */
  #fullAt = 0;

  constructor(limits: PacketLimits, address: string) {
    this.#limits = limits;
    this.#address = address;
    this.#fillMs = limits.seconds * 1000;
    this.#pointMs = this.#fillMs / limits.points;
  }

  /** Counts a packet. @returns false if it is too much: the connection is to be closed */
  take(bytes: number): boolean {
    const { addresses, unitBytes } = this.#limits;
    const now = performance.now();
    const weight = 1 + Math.floor(bytes / unitBytes);
    this.#fullAt = Math.max(now, this.#fullAt) + weight * this.#pointMs;
    const usedMs = this.#fullAt - now;
    if (usedMs > this.#fillMs) return false;
    return addresses.take(this.#address, weight, now) === 0 || usedMs <= this.#fillMs * modestShare;
  }
}
