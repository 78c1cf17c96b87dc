import { eventually } from '../../../tests/support/eventually.ts';
import type { NodeBus, NodeMessage, RoutedMessage } from '../src/index.ts';

/** Nodes that can reach one another, and nobody else. */
export interface NodeBusBench {
  /** The bus of one more node. */
  addBus(): Promise<NodeBus>;
  close(): Promise<void>;
}

/** What every {@link NodeBus} guarantees. */
export function describeNodeBus(name: string, open: () => Promise<NodeBusBench>): void {
  describe(`${name} as a node bus`, () => {
    let bench: NodeBusBench;
    let one: NodeBus;
    let two: NodeBus;

    const chat = (text: string): RoutedMessage => ({
      kind: 'chat',
      userId: 'ann',
      sessionId: 's1',
      message: { id: `m-${text}`, message: text, at: 1 },
    });

    /** Listens as a node. Answers the list of what it gets from then on. */
    const listen = async (bus: NodeBus, nodeId: string) => {
      const received: NodeMessage[] = [];
      await bus.listen(nodeId, { receive: message => received.push(message), missed: () => undefined });
      return received;
    };

    beforeEach(async () => {
      bench = await open();
      one = await bench.addBus();
      two = await bench.addBus();
    });

    afterEach(() => bench.close());

    it('brings a message to the node that it is for, and to no other', async () => {
      const gotByOne = await listen(one, 'n1');
      const gotByTwo = await listen(two, 'n2');
      await one.send('n2', chat('to two'));
      await one.send('n1', chat('to one'));
      await eventually(() => expect([gotByOne, gotByTwo]).toEqual([[chat('to one')], [chat('to two')]]));
    });

    it('says whether the node was listening', async () => {
      await listen(two, 'n2');
      expect(await one.send('n2', chat('hi'))).toBe(true);
      expect(await one.send('n3', chat('hi'))).toBe(false);
    });

    const from = { userId: 'bob', nodeId: 'n1' };
    it.each<[what: string, message: RoutedMessage]>([
      ['receipts', { kind: 'receipt', userId: 'ann', from, receipt: { sessionId: 's1', upTo: 3 } }],
      ['word of typing', { kind: 'typing', userId: 'ann', from, typing: { sessionId: 's1', typing: true } }],
      ['word of what was dropped', { kind: 'dropped', userId: 'ann', sessionId: 's1' }],
    ])('carries %s too', async (_what, message) => {
      const got = await listen(two, 'n2');
      await one.send('n2', message);
      await eventually(() => expect(got).toEqual([message]));
    });

    it('keeps the order between two nodes', async () => {
      const got = await listen(two, 'n2');
      const messages = Array.from({ length: 100 }, (_, i) => chat(String(i)));
      await Promise.all(messages.map(message => one.send('n2', message)));
      await eventually(() => expect(got).toEqual(messages));
    });

    it('listens as one node at a time', async () => {
      const gotBefore = await listen(two, 'n2');
      const got = await listen(two, 'n3');
      expect(await one.send('n2', chat('to the node before'))).toBe(false);
      expect(await one.send('n3', chat('to the node now'))).toBe(true);
      await eventually(() => expect(got).toEqual([chat('to the node now')]));
      expect(gotBefore).toEqual([]);
    });
  });
}
