import { OptionsError } from '../options.ts';
import { capacity } from './capacity.ts';
import { matchingFigures } from './matching-figures.ts';
import { type Options, parseOptions, usage } from './options.ts';
import { simulatePools } from './simulate-pools.ts';
import { capacityTable, type MatchingRow, matchingTable, redisTable } from './tables.ts';

/** A pool with more users takes too long; what follows from it is seen with fewer, too. */
const mostUsersInPool = 250_000;

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(`${usage}\n`);
  else await run(options);
} catch (error) {
  process.stderr.write(`${error instanceof OptionsError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 2;
}

async function run(options: Options): Promise<void> {
  const { users, pools, json } = options;
  const say = (text: string) => void (json || process.stdout.write(`${text}\n`));
  const capacities = users.map(each => capacity(each, options));
  say(`${capacityTable(capacities)}\n`);
  say(`${redisTable(capacities)}\n`);
  const [first] = capacities;
  if (first) say(`One Redis primary carries ${first.usersOfOnePrimary.toLocaleString('en-GB')} users at the most.\n`);
  const spread = users.flatMap(each => pools.map(count => ({ users: each, pools: count })));
  const matching: MatchingRow[] = [];
  for (const row of spread.filter(each => each.users >= each.pools)) {
    if (row.users / row.pools > mostUsersInPool) matching.push(row);
    else matching.push({ ...row, figures: matchingFigures(await simulatePools({ ...options, ...row })) });
  }
  say(matchingTable(matching));
  if (json) process.stdout.write(`${JSON.stringify({ options, capacities, matching }, null, 2)}\n`);
}
