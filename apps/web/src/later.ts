/** Something that happens later, unless it is cancelled or asked for anew before. */
export class Later {
  #timer: ReturnType<typeof setTimeout> | undefined;

  in(ms: number, task: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(task, ms);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
