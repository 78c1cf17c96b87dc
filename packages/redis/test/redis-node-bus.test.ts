import type { NodeBus, NodeMessage, RoutedMessage } from '@passerby/core';
import { eventually } from '../../../tests/support/eventually.ts';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { describeNodeBus } from '../../core/test/node-bus-contract.ts';
import { RedisNodeBus } from '../src/index.ts';

const silent = { info: () => undefined, warn: () => undefined };

async function addBus(pool: RedisPool): Promise<NodeBus> {
  return new RedisNodeBus(await pool.connect(), await pool.connect(), { prefix: pool.prefix, log: silent });
}

describeNodeBus('RedisNodeBus', async () => {
  const pool = new RedisPool();
  return { addBus: () => addBus(pool), close: () => pool.close() };
});

describe('RedisNodeBus', () => {
  const message: RoutedMessage = {
    kind: 'chat',
    userId: 'ann',
    sessionId: 's1',
    message: { id: 'm', message: 'hi', at: 1 },
  };
  let pool: RedisPool;

  beforeEach(() => {
    pool = new RedisPool();
  });

  afterEach(() => pool.close());

  /** A bus that listens as n1, what it got and what it warned of, and a way to send it any text. */
  const openBus = async () => {
    const got: NodeMessage[] = [];
    const warnings: string[] = [];
    let missed = 0;
    const subscriber = await pool.connect();
    const redis = await pool.connect();
    const log = { ...silent, warn: (_: object, text: string) => void warnings.push(text) };
    const bus = new RedisNodeBus(redis, subscriber, { prefix: pool.prefix, log });
    await bus.listen('n1', { receive: each => got.push(each), missed: () => missed++ });
    const publish = (text: string) => redis.publish(`${pool.prefix}:node:n1`, text);
    return { bus, redis, subscriber, publish, got, warnings, missed: () => missed };
  };

  it('drops what it cannot read, and goes on', async () => {
    const { bus, publish, got, warnings } = await openBus();
    await publish('not JSON');
    await publish('null');
    await publish('{"v":2,"kind":"batch","messages":7}');
    const wrong = { v: 1, kind: 'change', change: { state: 'x' } };
    await publish(JSON.stringify({ v: 2, kind: 'batch', messages: [null, wrong, { v: 1, ...message }] }));
    await bus.send('n1', message);
    // What a change told, and of whom, is not known; but nothing of it is kept silent.
    const unreadable = { kind: 'unreadable', userId: undefined };
    await eventually(() => expect(got).toEqual([unreadable, unreadable, message, message]));
    expect(warnings).toEqual(Array(5).fill('A message from another node could not be used. It was dropped.'));
  });

  it('drops messages of another version, and says so once', async () => {
    const { bus, publish, got, warnings } = await openBus();
    const change = { userId: 'ann', revision: 1, state: 'i' };
    await publish(JSON.stringify({ v: 3, kind: 'batch', messages: [{ v: 1, kind: 'change', change }] }));
    await publish(JSON.stringify({ v: 2, kind: 'change', change }));
    await publish(JSON.stringify({ kind: 'change', change }));
    await publish(JSON.stringify({ v: 1, kind: 'of the future', userId: 'ann' }));
    await publish(JSON.stringify({ kind: 'of the future', userId: 'ann' }));
    await publish(JSON.stringify({ v: 1, kind: 'change', change, later: true }));
    await bus.send('n1', message);
    const unreadable = { kind: 'unreadable', userId: 'ann' };
    const known = { kind: 'change', change: { userId: 'ann', revision: 1, state: 'idle' }, later: true };
    await eventually(() => expect(got).toEqual([unreadable, unreadable, known, message]));
    expect(warnings).toEqual([
      'Another node sends messages of a version that this node does not know. They are dropped.',
    ]);
  });

  it('says of a change that could not be taken that it could not, and takes what follows', async () => {
    const { bus, publish } = await openBus();
    const got: NodeMessage[] = [];
    const receive = (each: NodeMessage) => {
      if (each.kind === 'change') throw new Error('not now');
      got.push(each);
    };
    await bus.listen('n1', { receive, missed: () => undefined });
    await publish(JSON.stringify({ v: 1, kind: 'change', change: { userId: 'ann', revision: 1, state: 'i' } }));
    await publish(JSON.stringify({ v: 1, kind: 'unreadable', userId: 'not for others to say' }));
    await bus.send('n1', message);
    await eventually(() => expect(got).toEqual([{ kind: 'unreadable', userId: 'ann' }, message]));
  });

  it('sends what goes to a node in one turn of the event loop together, marked with its version', async () => {
    const { bus, subscriber } = await openBus();
    const texts: unknown[] = [];
    subscriber.on('message', (_, text: string) => texts.push(JSON.parse(text)));
    expect(await Promise.all([bus.send('n1', message), bus.send('n2', message), bus.send('n1', message)])).toEqual([
      true,
      false,
      true,
    ]);
    await bus.send('n1', message);
    const alone = { v: 1, ...message };
    const together = { v: 2, kind: 'batch', messages: [alone, alone] };
    // One alone comes as nodes of the version before know it.
    await eventually(() => expect(texts).toEqual([together, alone]));
  });

  it('gives a kind that nodes of the version before do not know another version, so that they drop it', async () => {
    const { bus, subscriber } = await openBus();
    const texts: unknown[] = [];
    subscriber.on('message', (_, text: string) => texts.push(JSON.parse(text)));
    const typing: RoutedMessage = { kind: 'typing', userId: 'ann', typing: { sessionId: 's1', typing: true } };
    await bus.send('n1', typing);
    const dropped: RoutedMessage = { kind: 'dropped', userId: 'ann', sessionId: 's1' };
    await bus.send('n1', dropped);
    await eventually(() =>
      expect(texts).toEqual([
        { v: 2, ...typing },
        { v: 3, ...dropped },
      ]),
    );
  });

  it('says that it may have missed something once it receives again after a gap', async () => {
    const { bus, redis, subscriber, got, missed } = await openBus();
    expect(missed()).toBe(0);
    await redis.client('KILL', 'ID', String(await subscriber.client('ID')));
    await eventually(() => expect(missed()).toBe(1));
    await bus.send('n1', message);
    await eventually(() => expect(got).toEqual([message]));
    expect(missed()).toBe(1);
  });

  it('comes through a connection that is lost again as soon as it is there', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const { bus, redis, subscriber, got, missed } = await openBus();
    const lost = new Promise<void>(resolve => {
      // Whatever subscribes again has asked by then, and has no answer yet.
      subscriber.once('ready', () => subscriber.stream.destroy());
      subscriber.once('close', () => subscriber.once('close', resolve));
    });
    await redis.client('KILL', 'ID', String(await subscriber.client('ID')));
    await lost;
    await eventually(() => expect(missed()).toBe(1));
    await bus.send('n1', message);
    await eventually(() => expect(got).toEqual([message]));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
