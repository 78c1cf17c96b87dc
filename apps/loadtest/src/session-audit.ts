import type { SideReport } from './session-side.ts';

/** Puts the two sides of each session together, and finds the messages that one wrote and the other never got. */
export class SessionAudit {
  readonly #single = new Map<string, SideReport>();
  #lost = 0;
  #unconfirmed = 0;
  #oneSided = 0;

  /** Messages that were promised to arrive, and did not. */
  get lost(): number {
    return this.#lost;
  }

  /** Messages that may or may not arrive by the protocol, and did not: one of the two had left, or the answer is not known. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** Sessions of which the other side was never told, until `end`. */
  get oneSided(): number {
    return this.#oneSided;
  }

  add(side: SideReport): void {
    const other = this.#single.get(side.session);
    if (!other) {
      this.#single.set(side.session, side);
      return;
    }
    this.#single.delete(side.session);
    this.#compare(side, other);
    this.#compare(other, side);
  }

  /**
   * No more sides come. Of sessions with somebody else's users, only one side is known.
   * @param begunBefore those that are younger may not have two sides yet, on the clock of `now()`
   */
  end(begunBefore: number): void {
    for (const { sent, refused, beganAt } of this.#single.values()) {
      this.#unconfirmed += sent - refused.length;
      if (beganAt !== undefined && beganAt <= begunBefore) this.#oneSided += 1;
    }
    this.#single.clear();
  }

  #compare(sender: SideReport, receiver: SideReport): void {
    const refused = new Set(sender.refused);
    const unanswered = new Set(sender.unanswered);
    const judge = (n: number, promised: boolean): void => {
      if (refused.has(n)) return;
      if (promised && !unanswered.has(n)) this.#lost += 1;
      else this.#unconfirmed += 1;
    };
    // A later one came: both were there.
    for (const n of receiver.missing) judge(n, true);
    for (let n = receiver.highest + 1; n <= sender.sent; n++) judge(n, sender.stayed && receiver.stayed);
  }
}
