import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../random.ts';
import { Attacker } from './attacker.ts';
import { attacks } from './attacks.ts';
import type { Orders, Outcome } from './orders.ts';

/** The node may take so long to answer what it owes, or to close it. Whoever stalls must have been cut off by then, too. */
const answersWithinMs = 10_000;

// The process that attacks: apart from the bystanders, whose clocks it would disturb.
process.on('disconnect', () => process.exit());
process.once('message', (orders: Orders) => void carryOut(orders));

async function carryOut({ names, seed, address, target, port, packets, ms }: Orders): Promise<void> {
  const attackers = names.map(name => {
    // The same for the same seed and name, whatever else is carried out.
    const random = seededRandom([...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), seed));
    const attacker = new Attacker({ random, address, target, port, packets, ms });
    const attack = attacks[name];
    const run = async (): Promise<void> => {
      while (attack && attacker.goes) await attack(attacker);
    };
    return { attacker, done: run() };
  });
  process.on('message', () => {
    for (const { attacker } of attackers) attacker.stop();
  });
  await Promise.race([Promise.all(attackers.map(({ done }) => done)), delay(ms + answersWithinMs)]);
  const unanswered = await Promise.all(attackers.map(({ attacker }) => attacker.finish(answersWithinMs)));
  const sum = (field: 'connections' | 'packets' | 'bytes') =>
    attackers.reduce((total, { attacker }) => total + attacker.tally[field], 0);
  const outcome: Outcome = {
    ...{ connections: sum('connections'), packets: sum('packets'), bytes: sum('bytes') },
    unanswered: unanswered.reduce((total, each) => total + each, 0),
    breaches: attackers.flatMap(({ attacker }) => [...attacker.breaches]),
  };
  process.send?.(outcome, () => process.exit());
}
