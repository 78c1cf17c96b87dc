/** One piece of the code that was built, and what is put in its place. */
export interface Edit {
  /** The file that is loaded, below the project's folder. */
  file: string;
  /** The exact text to replace; it must be there once. */
  from: string;
  to: string;
}

/** A change to the code that was built, to see that the checker finds what it breaks. */
export interface Mutation {
  /** What it makes wrong. */
  does: string;
  edits: readonly Edit[];
  /** The same in what the simulation has in place of that, where it is something else. */
  simulated?: readonly Edit[];
  /** Where the code runs: in the nodes, or in this process, which holds the clients. */
  where: 'nodes' | 'clients';
  /** What brings it to light. */
  faults: readonly string[];
  /** What people do more often for it. */
  often?: 'copy' | 'betray';
}

const model = 'packages/core/dist/memory/memory-pair-store.js';
const present = 'then return { change(user, partnerOf(user)) } end';

/**
 * Each command of a user reaches the registry once more, a moment later, as after a lost reply. This alone is harmless;
 * it only happens far more often than with faults.
 */
export const commandsTwice: Edit = {
  file: 'packages/redis/dist/redis-pair-store.js',
  from: 'return await call();',
  to: `const reply = await call();
                if (script === 'search-partner' || script === 'leave-chat') setTimeout(() => call().catch(() => {}), 500);
                return reply;`,
};

export const mutations: Record<string, Mutation> = {
  fencing: {
    does: 'A node shows a message to its recipient without looking at the session.',
    edits: [
      {
        file: 'packages/core/dist/chat/relay.js',
        from: 'if (session?.sessionId !== sessionId)',
        to: 'if (!session)',
      },
    ],
    where: 'nodes',
    faults: ['redis-slow'],
  },
  idempotence: {
    does: 'A command that reaches the pair registry twice, or late, is carried out twice, or late.',
    edits: [
      {
        file: 'packages/redis/lua/registry.lua',
        from: "local late = nowMs > tonumber(ARGV[2]) and redis.error_reply('LATE the call came after it was given up')",
        to: 'local late = false',
      },
      {
        file: 'packages/redis/lua/search-partner.lua',
        from: `if user and tonumber(requestId) <= tonumber(user.requestId) ${present}`,
        to: '',
      },
      {
        file: 'packages/redis/lua/leave-chat.lua',
        from: `if tonumber(requestId) <= tonumber(user.requestId) ${present}`,
        to: '',
      },
      commandsTwice,
    ],
    simulated: [
      { file: model, from: 'if (known && known.requestId >= requestId)', to: 'if (false)' },
      {
        file: model,
        from: `        if (user.requestId >= requestId)
            return [this.#change(user)];`,
        to: '',
      },
      {
        file: 'apps/chaos/dist/simulation/simulated-pair-store.js',
        from: "this.#scheduler.now > notAfter && what !== 'release'",
        to: 'false',
      },
      {
        file: 'apps/chaos/dist/simulation/simulated-pair-store.js',
        from: 'return this.#run(what, act, { repeated });',
        to: `return this.#run(what, act, { repeated }).then(reply => {
            this.#scheduler.after(500, 'once more', () => void this.#run(what, act, { delaysMs: [] }).catch(() => {}), this.#host);
            return reply;
        });`,
      },
    ],
    where: 'nodes',
    faults: ['redis-echo', 'node-late', 'node-reset'],
  },
  resend: {
    does: 'The client library does not send again what may have been lost.',
    edits: [
      {
        file: 'packages/client/dist/outgoing.js',
        from: `#goBack() {
        this.#next = this.#delivered + 1;`,
        to: '#goBack() {',
      },
    ],
    where: 'clients',
    // Not what ends sessions: then nothing has to arrive any more.
    faults: ['redis-gaps'],
  },
  order: {
    does: 'A node shows a message to a plain client though one before it is missing.',
    edits: [
      {
        file: 'packages/core/dist/chat/relay.js',
        from: 'return closely ? number === last + 1 : number > last;',
        to: 'return number > last;',
      },
    ],
    where: 'nodes',
    faults: ['redis-gaps'],
  },
  resume: {
    does: 'Whoever connects again finds the chat ended.',
    edits: [
      {
        file: 'packages/redis/lua/resume-user.lua',
        from: 'local partner, before = partnerOf(user), user.node',
        to: `if user.state == 'p' then endSession(user, 'timeout', '') end
local partner, before = partnerOf(user), user.node`,
      },
    ],
    simulated: [
      {
        file: model,
        from: 'user.tokens = [nextToken, token];',
        to: "user.tokens = [nextToken, token]; if (user.state === 'paired') this.#endSession(user, 'timeout', null);",
      },
    ],
    where: 'nodes',
    faults: ['rolling-restart'],
  },
  place: {
    does: 'Whoever waits and connects again is not in the queue any more.',
    edits: [
      {
        file: 'packages/redis/lua/resume-user.lua',
        from: "if user.state == 'w' then redis.call('ZADD', queueKey, user.since, user.userId) end",
        to: '',
      },
    ],
    simulated: [
      {
        file: model,
        from: 'user.tokens = [nextToken, token];',
        to: 'user.tokens = [nextToken, token]; this.#waiting.delete(user);',
      },
    ],
    where: 'nodes',
    // Nothing has to fail for it.
    faults: ['recorder-pause'],
  },
  replace: {
    does: 'Of two connections with one token the older one stays open.',
    edits: [
      {
        file: 'apps/chat-node/dist/socket-clients.js',
        from: `socket.emit('error', errorTexts.REPLACED, { code: 'REPLACED' });
    socket.disconnect(true);`,
        to: '',
      },
    ],
    simulated: [
      {
        file: 'apps/chaos/dist/simulation/simulated-front.js',
        from: `line.emit('error', [errorTexts.REPLACED, { code: 'REPLACED' }]);
    line.dismiss();`,
        to: '',
      },
    ],
    where: 'nodes',
    faults: ['recorder-pause'],
    often: 'copy',
  },
  retire: {
    does: 'The token before the present one stays good.',
    edits: [{ file: 'packages/redis/lua/retire-token.lua', from: "user.previousToken = '-'", to: '' }],
    simulated: [
      { file: model, from: '            user.tokens = [token];', to: '            user.tokens = [...user.tokens];' },
    ],
    where: 'nodes',
    faults: ['recorder-pause'],
    often: 'betray',
  },
};
