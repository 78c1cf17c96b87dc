/**
 * The node's lease is lost: it was given up, or others have begun to take over the node's users. So it must not act for them
 * any more. A lease that merely lapsed is not lost yet.
 */
export class LeaseLost extends Error {
  constructor(nodeId: string) {
    super(`Node ${nodeId} has lost its lease.`);
    this.name = 'LeaseLost';
  }
}
