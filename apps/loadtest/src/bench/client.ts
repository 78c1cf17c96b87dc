import { LightClient } from '../light-client.ts';

const connectWithinMs = 60_000;

type Listeners = Record<string, (payload: never) => void>;

/** A light client that has joined, for code that awaits. */
export class Client {
  readonly #light: LightClient;
  readonly #listeners: Listeners;

  private constructor(light: LightClient, listeners: Listeners) {
    this.#light = light;
    this.#listeners = listeners;
  }

  /**
   * Connects to a port of this machine and joins.
   * @param listeners by event; `closed` hears of an end that the client did not make
   */
  static connect(port: number, listeners: Listeners = {}, auth?: object): Promise<Client> {
    return new Promise((resolve, reject) => {
      const handlers = {
        connected: () => resolve(new Client(light, listeners)),
        event: (name: string, [payload]: unknown[]) => listeners[name]?.(payload as never),
        closed: ({ how, reason }: { how: string; reason: string }) => {
          reject(new Error(`A connection was ${how}. ${reason}`));
          listeners.closed?.(`${how}: ${reason}` as never);
        },
      };
      const options = { timeoutMs: connectWithinMs, ...(auth && { auth }) };
      const light = new LightClient(`http://127.0.0.1:${port}`, handlers, options);
    });
  }

  get id(): string {
    return this.#light.id;
  }

  /** What to do at an event, instead of what was done until now. */
  on(event: string, listener: (payload: never) => void): void {
    this.#listeners[event] = listener;
  }

  emit(event: string, payload?: object): void {
    this.#light.emit(event, ...(payload ? [payload] : []));
  }

  /** Sends an event and waits for its acknowledgement. */
  ask(event: string, payload?: object): Promise<unknown> {
    return new Promise(resolve => this.#light.ask(event, payload ? [payload] : [], resolve));
  }

  close(): void {
    this.#light.close();
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.#light.cut();
  }
}
