/** The node's lease lapsed: others may already have ended its users' chats, so it must not act for them any more. */
export class LeaseLost extends Error {
  constructor(nodeId: string) {
    super(`Node ${nodeId} has lost its lease.`);
    this.name = 'LeaseLost';
  }
}
