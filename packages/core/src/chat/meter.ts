/** Is told what a node does, to count it. */
export interface Meter {
  /**
   * A session of which this node has side `a` began, so that the sum over all nodes counts each session once. Side `a` is the
   * one who had waited: for so long, in ms, as far as this node knows.
   */
  matched(waitedMs: number): void;
  /** A message went to a user of the same node, or to another node. */
  relayed(route: 'local' | 'remote'): void;
  /** A message from another node was dropped, because its session was over here. */
  dropped(): void;
}
