// A process that asks a node for more than it can do.
import { setTimeout as delay } from 'node:timers/promises';
import { frame, RawClient } from './raw-client.ts';
import { serveCommands } from './serve-commands.ts';

/** What a user, or a connection, can want of a node. */
export type Kind = 'connects' | 'searches' | 'messages';

/** Of one kind, in one period. */
export interface Asked {
  /** What was asked for. */
  offered: number;
  /** Connections that joined, users who were matched, messages that arrived. */
  done: number;
  /** What was refused with a time to come back. */
  putOff: number;
  /** Connections that were closed without an answer. */
  hungUp: number;
  /** What must not happen. */
  wrong: number;
}

const nothing = (): Asked => ({ offered: 0, done: 0, putOff: 0, hungUp: 0, wrong: 0 });
const counts: Record<Kind, Asked> = { connects: nothing(), searches: nothing(), messages: nothing() };
/** How much is under way at once while the most that a node can take is looked for. */
const atOnce: Record<Kind, number> = { connects: 256, searches: 400, messages: 200 };
const searchers = 2000;
const messagePairs = 100;
const numbers = 1000;
/** Messages of one sender that go together. */
const bundle = 8;
const mostAtOnceMs = 10;

const searchFrame = frame('421["search"]');
const endFrame = frame('422["end_chat"]');

/** One who looks for a partner when told to, and leaves at once when there is one. */
interface Searcher {
  client: RawClient;
  isBusy: boolean;
  /** Goes on at once, while the most is looked for. */
  again: boolean;
}
let idle: Searcher[] = [];

/** One side of a chat that only sends: the bundles of its messages, and how many have arrived at the other side. */
interface Talker {
  client: RawClient;
  bundles: Buffer[];
  sent: number;
  arrived: number;
}
let talkers: Talker[] = [];
let target = 0;
/** While the most is looked for, a message that arrives calls for the next bundle. */
let answering = false;
let hurrying: Searcher[] = [];

function connectOnce(port: number, then: () => void = () => undefined): void {
  const count = counts.connects;
  count.offered += 1;
  new RawClient(port, {
    joined: client => {
      count.done += 1;
      client.cut();
      then();
    },
    ended: refusal => {
      if (refusal === 'put off') count.putOff += 1;
      else if (refusal === 'hung up') count.hungUp += 1;
      else count.wrong += 1;
      then();
    },
  });
}

function search(searcher: Searcher): void {
  searcher.isBusy = true;
  counts.searches.offered += 1;
  searcher.client.send(searchFrame);
}

function heardAsSearcher(text: string, searcher: Searcher): void {
  const isOver = text.startsWith('32') || text.startsWith('31[{"ok":false');
  if (text.startsWith('2["matched"')) {
    counts.searches.done += 1;
    searcher.client.send(endFrame);
  } else if (text.startsWith('31[{"ok":false')) {
    if (text.includes('"retryAfterMs"')) counts.searches.putOff += 1;
    else counts.searches.wrong += 1;
  }
  // The partner may be faster.
  if (!isOver || !searcher.isBusy) return;
  searcher.isBusy = false;
  if (searcher.again) search(searcher);
  else idle.push(searcher);
}

function say(talker: Talker): void {
  counts.messages.offered += bundle;
  const place = talker.sent % talker.bundles.length;
  talker.sent += 1;
  talker.client.send(talker.bundles[place] as Buffer);
}

function heardAsTalker(text: string, from: () => Talker, number: number): void {
  if (!text.startsWith('2["message"')) return;
  const talker = from();
  const due = `"talker ${number}, ${String(talker.arrived % numbers).padStart(4, '0')}`;
  talker.arrived += 1;
  counts.messages.done += 1;
  if (!text.includes(due)) counts.messages.wrong += 1;
  if (answering && talker.arrived % bundle === 0) say(talker);
}

/** Connects one after the other; a client that is put off tries again. */
async function join(port: number, packet: (text: string, client: RawClient) => void): Promise<RawClient> {
  for (;;) {
    const client = await new Promise<RawClient | undefined>(resolve => {
      new RawClient(port, { joined: resolve, packet, ended: () => resolve(undefined) });
    });
    if (client) return client;
    await delay(100);
  }
}

async function joinTalkers(port: number): Promise<void> {
  for (let number = 0; number < messagePairs * 2; number++) {
    const matched = { told: () => undefined as unknown };
    const client = await join(port, text => {
      if (text.startsWith('2["matched"')) matched.told();
      heardAsTalker(text, () => talkers[number ^ 1] as Talker, number ^ 1);
    });
    const bundles = Array.from({ length: numbers / bundle }, (_, at) =>
      Buffer.concat(
        Array.from({ length: bundle }, (_, of) => {
          const text = `talker ${number}, ${String(at * bundle + of).padStart(4, '0')} abcdefghi abcdefghi abcdefghi`;
          return frame(`42["message","${text}"]`);
        }),
      ),
    );
    talkers.push({ client, bundles, sent: 0, arrived: 0 });
    client.send(searchFrame);
    if (number % 2 === 1) await new Promise<void>(resolve => Object.assign(matched, { told: resolve }));
  }
}

const commands = {
  /** Connects those who are needed for this kind. */
  async prepare({ port, kind }: { port: number; kind: Kind }): Promise<void> {
    target = port;
    if (kind === 'messages') await joinTalkers(port);
    for (let i = 0; kind === 'searches' && i < searchers; i++) {
      const searcher = { isBusy: false, again: false } as Searcher;
      searcher.client = await join(port, text => heardAsSearcher(text, searcher));
      idle.push(searcher);
    }
  },

  /** Asks as fast as answers come, and tells how much of that a node does in a second. */
  async most({ kind, seconds }: { kind: Kind; seconds: number }): Promise<number> {
    counts[kind] = nothing();
    let isOver = false;
    if (kind === 'connects') {
      const next = (): void => void (isOver || connectOnce(target, next));
      for (let i = 0; i < atOnce.connects; i++) next();
    } else if (kind === 'searches') {
      hurrying = idle.splice(0, atOnce.searches);
      for (const searcher of hurrying) searcher.again = true;
      for (const searcher of hurrying) search(searcher);
    } else {
      answering = true;
      for (const talker of talkers.slice(0, atOnce.messages)) say(talker);
    }
    await delay(seconds * 500);
    const { done } = counts[kind];
    const startedAt = performance.now();
    await delay(seconds * 500);
    const perSecond = ((counts[kind].done - done) / (performance.now() - startedAt)) * 1000;
    isOver = true;
    answering = false;
    for (const searcher of hurrying) searcher.again = false;
    return perSecond;
  },

  /** Asks for so many of each kind in a second, whatever comes back. Tells what came of it, and how late this process was. */
  async offer({ perSecond, seconds }: { perSecond: Partial<Record<Kind, number>>; seconds: number }): Promise<{
    asked: Record<Kind, Asked>;
    seconds: number;
    latestMs: number;
  }> {
    for (const kind of Object.keys(counts) as Kind[]) counts[kind] = nothing();
    const due = { connects: 0, searches: 0, messages: 0 };
    const startedAt = performance.now();
    let [at, latestMs, next] = [startedAt, 0, 0];
    while (at - startedAt < seconds * 1000) {
      await delay(2);
      const now = performance.now();
      latestMs = Math.max(latestMs, now - at - 2);
      // Who is late does not do all of that at once, which would make it later still.
      const ms = Math.min(now - at, mostAtOnceMs);
      for (const kind of Object.keys(due) as Kind[]) due[kind] += ((perSecond[kind] ?? 0) * ms) / 1000;
      at = now;
      for (; due.connects >= 1; due.connects--) connectOnce(target);
      for (; due.searches >= 1; due.searches--) {
        const searcher = idle.pop();
        if (searcher) search(searcher);
        else counts.searches.offered += 1;
      }
      for (; due.messages >= bundle; due.messages -= bundle) {
        const talker = talkers[next++ % talkers.length];
        // What a sender cannot get rid of is offered all the same.
        if (talker?.client.canSend) say(talker);
        else counts.messages.offered += bundle;
      }
    }
    return { asked: structuredClone(counts), seconds: (performance.now() - startedAt) / 1000, latestMs };
  },

  /** Ends all connections. */
  async leave(): Promise<void> {
    for (const { client } of [...idle, ...talkers]) client.cut();
    idle = [];
    talkers = [];
  },
};

export type OverloadCommands = typeof commands;

serveCommands(commands);
