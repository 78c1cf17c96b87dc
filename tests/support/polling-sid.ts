import { HandshakeError, unlessBusy } from './unless-busy.ts';

/** Opens an Engine.IO connection over polling, when the node has time for it. @returns its id */
export function pollingSid(url: string): Promise<string> {
  return unlessBusy(async () => {
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    const body = await response.text();
    if (response.status !== 200) throw new HandshakeError(response.status);
    return JSON.parse(body.slice(1)).sid;
  });
}
