const mostSentences = 8;

/**
 * Says things to those who hear the page and do not see it, each once and in order. The one live region of the page: what
 * is shown elsewhere is not announced by itself.
 */
export class Announcer {
  readonly #region = document.createElement('div');

  constructor() {
    this.#region.className = 'visually-hidden';
    this.#region.setAttribute('role', 'log');
    this.#region.setAttribute('aria-live', 'polite');
    document.body.append(this.#region);
  }

  say(text: string): void {
    const sentence = document.createElement('p');
    sentence.dir = 'auto';
    sentence.textContent = text;
    this.#region.append(sentence);
    // A log announces what is added, and not what is taken away.
    while (this.#region.childElementCount > mostSentences) this.#region.firstElementChild?.remove();
  }
}
