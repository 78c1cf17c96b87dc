import type { Callback, ChainableCommander, Redis } from 'ioredis';

/**
 * Sends what one turn of the event loop asks in one write, as the automatic pipelining of ioredis does. But a call is
 * answered as soon as its own reply has come, and the next turn does not wait for the replies to this one, so that this
 * process and Redis work at the same time.
 */
export class TurnPipeline {
  readonly #redis: Redis;
  #open: ChainableCommander | undefined;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /**
   * @param add puts one command into the pipeline, with the callback
   * @throws what the command fails with
   */
  call<Reply>(add: (pipeline: ChainableCommander, callback: Callback<Reply>) => void): Promise<Reply> {
    const pipeline = this.#open ?? this.#begin();
    return new Promise((resolve, reject) => {
      add(pipeline, (error, reply) => (error ? reject(error) : resolve(reply as Reply)));
    });
  }

  #begin(): ChainableCommander {
    const pipeline = this.#redis.pipeline();
    this.#open = pipeline;
    setImmediate(() => {
      this.#open = undefined;
      // Each command tells its own failure.
      pipeline.exec().catch(() => undefined);
    });
    return pipeline;
  }
}
