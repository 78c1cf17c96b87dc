import { isIPv4 } from 'node:net';

/**
 * The one gate that all hostile traffic passes.
 * @returns the address, which is one of this machine's own
 * @throws Error for any other address, and for a name, which could stand for any address
 */
export function loopbackOnly(address: string): string {
  if (address === '::1' || (isIPv4(address) && address.startsWith('127.'))) return address;
  throw new Error(`Hostile traffic goes only to 127.0.0.0/8 and ::1, and not to ${address}.`);
}
