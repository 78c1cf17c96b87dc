import { relative } from 'node:path';

const everyMs = 10_000;
const slowest = 10;

/** Tells now and then how far the run is and what it is at, and at its end which files took the longest. */
export default class ProgressReporter {
  #rootDir;
  #startedAt = Date.now();
  #total = 0;
  #done = 0;
  #running = new Set();
  #timer;

  constructor({ rootDir }) {
    this.#rootDir = rootDir;
  }

  onRunStart({ numTotalTestSuites }) {
    this.#total = numTotalTestSuites;
    // In a terminal, Jest itself shows what runs.
    if (!process.stderr.isTTY) this.#timer = setInterval(() => this.#tell(), everyMs);
  }

  onTestFileStart({ path }) {
    this.#running.add(path);
  }

  onTestFileResult({ path }) {
    this.#running.delete(path);
    this.#done += 1;
  }

  onRunComplete(_contexts, { testResults }) {
    clearInterval(this.#timer);
    if (testResults.length < 2) return;
    const lines = testResults
      .map(({ testFilePath, perfStats }) => ({ path: testFilePath, ms: perfStats.end - perfStats.start }))
      .sort((a, b) => b.ms - a.ms)
      .slice(0, slowest)
      .map(({ path, ms }) => `${(ms / 1000).toFixed(1).padStart(6)} s  ${this.#name(path)}\n`);
    process.stderr.write(`\nThe slowest of ${testResults.length} files:\n${lines.join('')}`);
  }

  #tell() {
    const seconds = Math.round((Date.now() - this.#startedAt) / 1000);
    const running = [...this.#running].map(path => this.#name(path)).join(', ');
    process.stderr.write(`… ${this.#done} of ${this.#total} files after ${seconds} s. Running: ${running || 'none'}\n`);
  }

  #name(path) {
    return relative(this.#rootDir, path);
  }
}
