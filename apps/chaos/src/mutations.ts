/** One change to the code that was built, to see that the checker finds what it breaks. */
export interface Mutation {
  /** What it makes wrong. */
  does: string;
  /** The file that is loaded, below the project's folder. */
  file: string;
  /** The exact text to replace; it must be there once. */
  from: string;
  to: string;
  /** Where the code runs: in the nodes, or in this process, which holds the clients. */
  where: 'nodes' | 'clients';
  /** What brings it to light. */
  faults: readonly string[];
}

export const mutations: Record<string, Mutation> = {
  fencing: {
    does: 'A node shows a message to its recipient without looking at the session.',
    file: 'packages/core/dist/relay.js',
    from: `if (session?.sessionId !== sessionId)
            return false;
        if (user.token) {`,
    to: `if (!session)
            return false;
        if (user.token) {`,
    where: 'nodes',
    faults: ['redis-slow'],
  },
  idempotence: {
    does: 'The pair registry does once more, or late, what the user has commanded something newer after.',
    file: 'packages/redis/lua/search-partner.lua',
    from: 'if user and requestId <= user.requestId then return { change(user, partnerOf(user)) } end',
    to: '',
    where: 'nodes',
    faults: ['node-echo'],
  },
  resend: {
    does: 'The client library does not send again what may have been lost.',
    file: 'packages/client/dist/outgoing.js',
    from: `#goBack() {
        this.#next = this.#delivered + 1;`,
    to: '#goBack() {',
    where: 'clients',
    faults: ['node-deaf', 'node-silence', 'node-pause'],
  },
};
