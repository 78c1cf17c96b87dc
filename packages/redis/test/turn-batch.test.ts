import { TurnBatch } from '../src/turn-batch.ts';

describe('TurnBatch', () => {
  let calls: [nodeId: string, args: (string | number)[]][];
  let batch: TurnBatch<string>;

  beforeEach(() => {
    calls = [];
    batch = new TurnBatch(async (nodeId, args) => {
      calls.push([nodeId, args]);
      if (args.includes('bad')) throw new Error('It does not work.');
      return args.map(arg => `${arg} done`);
    });
  });

  it('asks in one call what one turn asks, and gives each the own reply', async () => {
    const replies = await Promise.all(['ann', 'bob', 'cid'].map(userId => batch.ask('node', [userId])));
    expect(replies).toEqual(['ann done', 'bob done', 'cid done']);
    expect(calls).toEqual([['node', ['ann', 'bob', 'cid']]]);
    expect(await batch.ask('node', ['dan'])).toBe('dan done');
    expect(calls).toHaveLength(2);
  });

  it('asks for no more than fifty at once', async () => {
    const asked = Array.from({ length: 101 }, (_, index) => index);
    const replies = await Promise.all(asked.map(each => batch.ask('node', [each])));
    expect(replies).toEqual(asked.map(each => `${each} done`));
    expect(calls.map(([, args]) => args.length)).toEqual([50, 50, 1]);
  });

  it('asks for each node apart: a node that took another lease in the same turn has another id', async () => {
    const replies = await Promise.all([
      batch.ask('old', ['ann']),
      batch.ask('new', ['bob']),
      batch.ask('new', ['cid']),
    ]);
    expect(replies).toEqual(['ann done', 'bob done', 'cid done']);
    expect(calls).toEqual([
      ['old', ['ann']],
      ['new', ['bob', 'cid']],
    ]);
  });

  it('tells all in a call that it failed, and nobody else', async () => {
    const failing = [batch.ask('node', ['bad']), batch.ask('node', ['ann'])];
    for (const each of failing) await expect(each).rejects.toThrow('It does not work.');
    expect(await batch.ask('node', ['bob'])).toBe('bob done');
  });
});
