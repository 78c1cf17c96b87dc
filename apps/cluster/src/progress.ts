import ora from 'ora';

/** A terminal that does not tell its width (some containers have one) would keep the spinner busy for ever. */
const canSpin = process.stdout.isTTY && process.stdout.columns > 0;

/** Tells what is going on: with a spinner on a terminal, in plain lines elsewhere. */
export class Progress {
  readonly #spinner = ora({ discardStdin: false, stream: process.stdout, isEnabled: canSpin });

  /** A step begins, and the one before is over. */
  step(text: string): void {
    if (!canSpin) console.log(`${text} …`);
    else if (this.#spinner.isSpinning) this.#spinner.text = text;
    else this.#spinner.start(text);
  }

  /** Says something that stays; no step is under way any more. */
  say(text: string): void {
    this.#spinner.stop();
    console.log(text);
  }

  /** Says what went wrong; no step is under way any more. */
  fail(text: string): void {
    this.#spinner.stop();
    console.error(text);
  }
}
