import type { Scenario } from '../scenario.ts';

/** Users who are there, and no more. */
export class Idle implements Scenario {
  begin(): void {}
  setRate(): void {}
  stop(): void {}
}
