import type { Receipt } from '@passerby/protocol';
import { isBelievable } from './is-believable.ts';
import { Paced } from './paced.ts';
import { realWorld, type World } from './world.ts';

/** Receipts are cumulative: one in this time is enough for all the messages that came in it. */
const receiptMs = 400;

/** What was asked for is on its way; it is asked for again after this time if it did not come. */
const askAgainMs = 1000;

export interface IncomingOptions {
  world?: World;
  /** The number of the last message that was shown. */
  shown?: number | undefined;
  /** Sends a receipt. Calls `failed` when the server could not pass it on, and says when to try again. */
  transmit: (receipt: Omit<Receipt, 'sessionId'>, failed: (retryAfterMs: number) => void) => void;
}

/** Shows the partner's messages of one session once and in order, and tells the partner which were shown. */
export class Incoming {
  readonly #world: World;
  readonly #transmit: IncomingOptions['transmit'];
  #shown: number;
  readonly #receipt: Paced;
  /** What the next receipt tells besides. */
  #own: Pick<Receipt, 'from'> = {};
  readonly #request: Paced;
  #retry: unknown;

  constructor({ world = realWorld, shown = 0, transmit }: IncomingOptions) {
    this.#world = world;
    this.#shown = shown;
    this.#transmit = transmit;
    this.#receipt = new Paced(world, receiptMs, () => this.#send({ upTo: this.#shown, ...this.#own }));
    this.#request = new Paced(world, askAgainMs, () => this.#send({ upTo: this.#shown, resend: true }));
  }

  /** The number of the last message that was shown. */
  get shown(): number {
    return this.#shown;
  }

  /** Shows a message, unless it was shown already or an earlier one is missing. One without a number is always shown. */
  take(seq: number | undefined, show: () => void): void {
    if (seq === undefined) {
      show();
      return;
    }
    if (seq > this.#shown + 1) {
      this.#request.run();
      return;
    }
    if (seq === this.#shown + 1) {
      this.#shown = seq;
      this.#request.reset();
      show();
    }
    // A repeated one is acknowledged again: the receipt for it was lost.
    this.#receipt.run();
  }

  /**
   * Tells the partner, who asks, which were shown.
   * @param from the first own message that is kept, if the partner believes to be before that
   */
  tell(from?: number): void {
    if (from !== undefined) this.#own = { from };
    this.#receipt.run();
  }

  /**
   * The partner has no message before this one: they were acknowledged, and so were shown, though this client has gone on
   * from an older place.
   */
  beginFrom(seq: number): void {
    if (seq <= this.#shown + 1 || !isBelievable(seq, this.#shown)) return;
    this.#shown = seq - 1;
    this.ask();
  }

  /** Something may have been lost on the way: asks the partner to send again what was not shown. */
  ask(): void {
    this.stop();
    this.#request.run();
  }

  /** Sends nothing until something comes, or `ask`. */
  stop(): void {
    this.#world.clearTimeout(this.#retry);
    this.#receipt.reset();
    this.#request.reset();
  }

  #send(receipt: Omit<Receipt, 'sessionId'>): void {
    this.#own = {};
    this.#transmit(receipt, retryAfterMs => {
      this.#world.clearTimeout(this.#retry);
      this.#retry = this.#world.setTimeout(() => (receipt.resend ? this.#request : this.#receipt).run(), retryAfterMs);
    });
  }
}
