type Listener<Args extends unknown[]> = (...args: Args) => void;

/** Listeners by event, with the types of their arguments. */
export class Emitter<Events extends { [Name in keyof Events]: unknown[] }> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** @returns a function that takes the listener off again */
  on<Name extends keyof Events>(event: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof Events>(event: Name, ...args: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])] as Listener<Events[Name]>[]) {
      try {
        listener(...args);
      } catch (error) {
        // A mistake of one listener is its own: it shows up as uncaught, and everything else goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
