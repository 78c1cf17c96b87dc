import type { ChatStorage } from '@passerby/client';

/** What a page keeps in its `sessionStorage`. */
export class PageStorage implements ChatStorage {
  readonly #items: Map<string, string>;

  constructor(items: Iterable<[string, string]> = []) {
    this.#items = new Map(items);
  }

  copy(): PageStorage {
    return new PageStorage(this.#items);
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#items.delete(key);
  }
}
