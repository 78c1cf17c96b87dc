import type { WindowCounter } from './window-counter.ts';

/** A connection that has sent less than this share of its budget is not closed for what others of its address send. */
const modestShare = 1 / 20;

export interface PacketLimits {
  /** What one connection may send. */
  points: number;
  seconds: number;
  /** What all connections of an address may send together. */
  addresses: WindowCounter;
  /** A packet counts once, and once more for each time that it is as long as this, in bytes. */
  unitBytes: number;
}

/** What a connection may send in a window of time, whatever it is, before anything is done about it. */
export class PacketBudget {
  readonly #limits: PacketLimits;
  readonly #address: string;
  #used = 0;
  /** On the clock of `performance.now()`. */
  #endsAt = 0;

  constructor(limits: PacketLimits, address: string) {
    this.#limits = limits;
    this.#address = address;
  }

  /** Counts a packet. @returns false if it is too much: the connection is to be closed */
  take(bytes: number): boolean {
    const { points, seconds, addresses, unitBytes } = this.#limits;
    const now = performance.now();
    if (now >= this.#endsAt) {
      this.#used = 0;
      this.#endsAt = now + seconds * 1000;
    }
    const weight = 1 + Math.floor(bytes / unitBytes);
    this.#used += weight;
    if (this.#used > points) return false;
    return addresses.count(this.#address, weight, now) === 0 || this.#used <= points * modestShare;
  }
}
