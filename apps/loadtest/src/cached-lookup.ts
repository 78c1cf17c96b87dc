import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** Asks the system for each name once: thousands of connections at a time would wait for its few threads. */
export function cachedLookup(): LookupFunction {
  const known = new Map<string, Promise<LookupAddress[]>>();
  const ask = (name: string): Promise<LookupAddress[]> =>
    new Promise((resolve, reject) => {
      lookup(name, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
    });
  return (name, options, answer) => {
    let addresses = known.get(name);
    if (!addresses) {
      addresses = ask(name);
      known.set(name, addresses);
      addresses.catch(() => known.delete(name));
    }
    addresses.then(
      all => {
        const [first] = all;
        if (options.all || !first) answer(null, all);
        else answer(null, first.address, first.family);
      },
      error => answer(error, []),
    );
  };
}
