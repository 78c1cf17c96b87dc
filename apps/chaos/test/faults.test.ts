import { faultKinds } from '../src/faults.ts';
import { seededRandom } from '../src/random.ts';
import type { World } from '../src/world.ts';

describe('a rolling restart', () => {
  it('touches one node after the other, and each only for as long as it is down', async () => {
    const happened: string[] = [];
    const nodes = ['node-1', 'node-2'].map(name => ({
      ready: true,
      program: {
        name,
        incarnation: `${name}#1`,
        terminate: async () => void happened.push(`${name} ends`),
        start: async () => void happened.push(`${name} starts`),
      },
    }));
    const fault = faultKinds['rolling-restart']?.({ nodes } as unknown as World, seededRandom(1));
    expect(fault?.touches).toEqual({});
    await fault?.inject(async (target, touches, act) => {
      happened.push(`${target} is touched: ${JSON.stringify(touches)}`);
      await act();
      happened.push(`${target} is well`);
    });
    expect(happened).toEqual(
      ['node-1', 'node-2'].flatMap(name => [
        `${name} is touched: {"halts":["${name}#1"]}`,
        ...[`${name} ends`, `${name} starts`, `${name} is well`],
      ]),
    );
  });
});
