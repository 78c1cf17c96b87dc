import type { Attack } from './attacker.ts';
import { engineAttacks } from './attacks/engine.ts';
import { httpAttacks } from './attacks/http.ts';
import { protocolAttacks } from './attacks/protocol.ts';
import { socketAttacks } from './attacks/socket.ts';
import { tcpAttacks } from './attacks/tcp.ts';
import { webSocketAttacks } from './attacks/web-socket.ts';

/** All attacks, by their names. */
export const attacks: Record<string, Attack> = {
  ...tcpAttacks,
  ...httpAttacks,
  ...engineAttacks,
  ...webSocketAttacks,
  ...socketAttacks,
  ...protocolAttacks,
};
