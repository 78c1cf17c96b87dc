/** More than this do not go together: Redis does nothing else meanwhile. */
const atMost = 50;

type Argument = string | number;

interface Waiting<Reply> {
  args: Argument[];
  resolve: (reply: Reply) => void;
  reject: (error: unknown) => void;
}

/**
 * Asks in one call of a script what one turn of the event loop asks for several users. A call costs Redis a good part of what it
 * does for one user, and each command costs the node its making, sending and answering.
 */
export class TurnBatch<Reply> {
  readonly #call: (nodeId: string, args: Argument[]) => Promise<Reply[]>;
  #open: { nodeId: string; waiting: Waiting<Reply>[] } | undefined;

  /** @param call of a script, with the arguments of all, one after the other; answers each, in the same order */
  constructor(call: (nodeId: string, args: Argument[]) => Promise<Reply[]>) {
    this.#call = call;
  }

  /**
   * Rejects with what the call of all fails with.
   * @param args of one user, as many as of any other
   */
  ask(nodeId: string, args: Argument[]): Promise<Reply> {
    const open = this.#open?.nodeId === nodeId ? this.#open : this.#begin(nodeId);
    return new Promise((resolve, reject) => {
      open.waiting.push({ args, resolve, reject });
      if (open.waiting.length >= atMost) void this.#send();
    });
  }

  #begin(nodeId: string) {
    void this.#send();
    const open = { nodeId, waiting: [] };
    this.#open = open;
    setImmediate(() => {
      if (this.#open === open) void this.#send();
    });
    return open;
  }

  async #send(): Promise<void> {
    if (!this.#open) return;
    const { nodeId, waiting } = this.#open;
    this.#open = undefined;
    try {
      const replies = await this.#call(
        nodeId,
        waiting.flatMap(({ args }) => args),
      );
      for (const [index, { resolve }] of waiting.entries()) resolve(replies[index] as Reply);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
