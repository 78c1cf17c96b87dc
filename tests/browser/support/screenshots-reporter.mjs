import { existsSync, readdirSync } from 'node:fs';
import { screenshotFolder } from './screenshot-folder.mjs';

/** Says at the end where the screenshots are. */
export default class ScreenshotsReporter {
  onRunComplete() {
    const count = existsSync(screenshotFolder) ? readdirSync(screenshotFolder).length : 0;
    if (count > 0) process.stderr.write(`\n${count} screenshots are in ${screenshotFolder}\n`);
  }
}
