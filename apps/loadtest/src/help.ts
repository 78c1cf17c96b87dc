import { leastCharacters } from './message-text.ts';
import { scenarios } from './scenario.ts';

/** What `--help` prints. */
export function help(): string {
  const kinds = Object.entries(scenarios).map(([name, { does, rate }]) => {
    return `  ${name.padEnd(6)} users ${does}${rate ? `; --rate is ${rate.unit}` : ''}`;
  });
  return `npm run load -- [options]: puts load on a chat server, and checks all that its users see.

Scenarios:
${kinds.join('\n')}

Options:
  --target ADDRESS     where the server is: http://localhost:3000. For several, again, or with commas
  --scenario NAME      one of the above: chat
  --users NUMBER       how many are connected: 100
  --duration TIME      how long the load lasts once all are ready: 60s. Times are like 500ms, 30s, 2m
  --rate NUMBER        what all users together begin in a second, however slow the server is
  --ramp TIME          how long it takes until all have connected: 1 ms for each user; 0ms for storm
  --message-size CHARS length of a message, at least ${leastCharacters}: 100
  --talk TIME          in chat: how long a user stays with a partner on average: 20s
  --workers NUMBER     processes: one less than there are cores
  --shared             others use the server too, so that a partner may be one of theirs
  --find-limit         raises the rate until the p99 passes a bound; --duration (10s) is that of each step
  --p99 TIME           the bound: 100ms
  --json FILE          where all figures go: .cache/load.json
  --html FILE          where the page with plots goes: .cache/load.html
  --help

The chat nodes limit what one address may do: start them with RATE_LIMITS=off. docs/load-testing.md tells more.

Exit code: 0 when all is well, 1 when something was seen that must never be, 2 when the run could not be made, 130 when it
was interrupted.
`;
}
