import { endsWhenSilent, noticeSilence, reconnectDelayMs } from '@passerby/redis';
import { Redis } from 'ioredis';

/**
 * A connection for the Socket.IO adapter, which catches nothing that its connections reject. This one keeps commands
 * until Redis can be reached, and what it rejects when it is closed counts as caught. Other connections to the same
 * Redis tell the log when it is away.
 */
export class AdapterConnection extends Redis {
  constructor(url: string, role: string) {
    super(url, {
      ...endsWhenSilent,
      connectionName: `passerby-${role}`,
      maxRetriesPerRequest: null,
      retryStrategy: reconnectDelayMs,
    });
    noticeSilence(this);
    this.on('error', () => undefined);
  }

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const reply = super.sendCommand(...args);
    Promise.resolve(reply).catch(() => undefined);
    return reply;
  }
}
