/** Ends a run with one plain line of counts, for scripts that read it. */
export default class ClosingLineReporter {
  onRunComplete(_contexts, { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites }) {
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : '';
    process.stderr.write(`\n${numPassedTests} passed, ${failed} failed${skipped}\n`);
  }
}
