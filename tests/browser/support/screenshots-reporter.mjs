import { existsSync, readdirSync } from 'node:fs';

/** Says at the end where the screenshots are. */
export default class ScreenshotsReporter {
  #folder;

  constructor(_config, { screenshotFolder }) {
    this.#folder = screenshotFolder;
  }

  onRunComplete() {
    const count = existsSync(this.#folder) ? readdirSync(this.#folder).length : 0;
    if (count > 0) process.stderr.write(`\n${count} screenshots are in ${this.#folder}\n`);
  }
}
