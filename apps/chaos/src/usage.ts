/** What `--help` says. */
export const usage = `npm run test:chaos -- [options]

Starts a cluster of real processes, lets people chat, does faults to it, and checks what everybody saw.

  --minutes 2     how long faults are injected
  --seed 1234     chooses the faults and what people do; a random one otherwise
  --faults a,b    only these; all otherwise
  --people 40     how many people chat
  --rate 4        how many things each of them does in a second
  --clients both  plain, resuming or both
  --out DIR       for the history and the logs of a failing run; a temporary folder otherwise
  --replay FILE   only checks the history in this file
  --break NAME    makes something wrong on purpose: fencing, idempotence, order,
                  place, replace, resend, resume or retire

It ends with 0 if nothing was found, with 1 if something was, and with 2 if it could not run. See docs/reliability.md.`;
