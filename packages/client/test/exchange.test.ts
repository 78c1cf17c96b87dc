import type { Ack } from '@passerby/protocol';
import fc from 'fast-check';
import { Incoming } from '../src/incoming.ts';
import { type NumberedMessage, Outgoing } from '../src/outgoing.ts';
import type { OwnMessage } from '../src/own-message.ts';

/*
 * Two clients write to each other through servers. Between a client and its server, packets keep their order, and a cut
 * loses them, in both directions. Between the servers anything may be lost, late, doubled or overtaken, also long after
 * the cut that caused it. Servers refuse messages, for now or for good, and a page may be loaded again at any time.
 * When the interruptions are over, and one of the two has connected again, everything has been shown once, in order, and
 * everyone knows it.
 */

type Packet =
  | { kind: 'message'; message: NumberedMessage }
  | { kind: 'receipt'; receipt: { upTo: number; resend?: boolean; from?: number } };

type Request = Packet & { answer: (reply: Ack<object> | undefined) => void };

class Side {
  outgoing: Outgoing;
  incoming: Incoming;
  up = true;
  /** What this client's server gets next. */
  readonly toServer: Request[] = [];
  /** What the other client's server has passed on, and may arrive in any order. */
  readonly coming: Packet[] = [];
  readonly written: OwnMessage[] = [];
  readonly shown: string[] = [];
  readonly delivered = new Set<string>();

  constructor() {
    [this.outgoing, this.incoming] = this.#load();
    this.outgoing.start();
  }

  /** Everything that is not saved is gone. */
  reload(): void {
    this.cut();
    [this.outgoing, this.incoming] = this.#load(this.outgoing, this.incoming);
  }

  cut(): void {
    this.up = false;
    this.outgoing.stop();
    this.incoming.stop();
    for (const { answer } of this.toServer.splice(0)) answer(undefined);
  }

  resume(): void {
    this.up = true;
    this.incoming.ask();
    this.outgoing.start();
  }

  take(packet: Packet): void {
    if (!this.up) return;
    if (packet.kind === 'receipt') {
      const { upTo, resend, from } = packet.receipt;
      this.outgoing.receive(packet.receipt);
      if (from !== undefined) this.incoming.beginFrom(from);
      const { first } = this.outgoing;
      if (resend) this.incoming.tell(first > upTo + 1 ? first : undefined);
    } else this.incoming.take(packet.message.seq, () => this.shown.push(packet.message.message));
  }

  #load(outgoing?: Outgoing, incoming?: Incoming): [Outgoing, Incoming] {
    const saved = outgoing && JSON.parse(JSON.stringify(outgoing.state));
    return [
      new Outgoing({
        sessionId: 's',
        state: saved,
        transmit: (message, answer) => this.#send({ kind: 'message', message, answer }),
        changed: () => undefined,
        progress: ({ text, status }) => {
          if (status === 'delivered') this.delivered.add(text);
        },
        notInChat: () => undefined,
        refused: () => undefined,
      }),
      new Incoming({
        shown: incoming?.shown,
        transmit: (receipt, failed) => {
          const answer = (reply: Ack<object> | undefined) => {
            if (reply && !reply.ok) failed(reply.error.retryAfterMs ?? 1000);
          };
          this.#send({ kind: 'receipt', receipt, answer });
        },
      }),
    ];
  }

  #send(request: Request): void {
    if (this.up) this.toServer.push(request);
    else request.answer(undefined);
  }
}

const step = fc.record({
  side: fc.nat(1),
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('write', 'serve', 'arrive') },
    { weight: 2, arbitrary: fc.constantFrom('double', 'lose', 'refuse', 'wait') },
    { weight: 1, arbitrary: fc.constantFrom('write bad', 'cut', 'resume', 'reload') },
  ),
  nth: fc.nat(5),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

class Exchange {
  readonly #sides = [new Side(), new Side()] as const;
  #count = 0;

  take({ side, what, nth }: Step): void {
    const me = this.#sides[side === 0 ? 0 : 1];
    const at = me.coming.length > 0 ? nth % me.coming.length : 0;
    switch (what) {
      case 'write':
        me.written.push(me.outgoing.add(`${side}/${this.#count++}`));
        break;
      case 'write bad':
        me.outgoing.add(`bad ${this.#count++}`);
        break;
      case 'serve':
      case 'refuse':
        this.#serve(side, what === 'refuse');
        break;
      case 'arrive':
      case 'double':
        for (const packet of me.coming.slice(at, at + 1)) me.take(packet);
        if (what === 'arrive') me.coming.splice(at, 1);
        break;
      case 'lose':
        me.coming.splice(at, 1);
        break;
      case 'wait':
        jest.advanceTimersByTime(nth * 250);
        break;
      case 'cut':
        me.cut();
        break;
      case 'reload':
        me.reload();
        break;
      case 'resume':
        if (!me.up) me.resume();
        break;
    }
  }

  /** Interruptions are over: everyone is connected, one side for the first time since anything was lost; all arrives. */
  settle(last: number): void {
    for (const [index, side] of this.#sides.entries()) {
      if (index === last) side.cut();
      if (!side.up) side.resume();
    }
    for (let round = 0; round < 300; round++) {
      for (const [index, side] of this.#sides.entries()) {
        while (side.toServer.length > 0) this.#serve(index, false);
        for (const packet of side.coming.splice(0)) side.take(packet);
      }
      jest.advanceTimersByTime(100);
    }
  }

  check(): void {
    const [a, b] = this.#sides;
    for (const [writer, reader] of [
      [a, b],
      [b, a],
    ] as const) {
      const texts = writer.written.map(({ text }) => text);
      expect(reader.shown).toEqual(texts);
      expect(writer.outgoing.kept).toEqual([]);
    }
  }

  /** At any time: shown once and in order, and delivered means shown. */
  checkAlways(): void {
    const [a, b] = this.#sides;
    for (const [writer, reader] of [
      [a, b],
      [b, a],
    ] as const) {
      const texts = writer.written.map(({ text }) => text);
      expect(reader.shown).toEqual(texts.slice(0, reader.shown.length));
      for (const text of writer.delivered) expect(reader.shown).toContain(text);
    }
  }

  close(): void {
    for (const side of this.#sides) side.cut();
  }

  #serve(side: number, refuse: boolean): void {
    const request = this.#sides[side === 0 ? 0 : 1].toServer.shift();
    const partner = this.#sides[side === 0 ? 1 : 0];
    if (!request) return;
    const { answer, ...packet } = request;
    const bad = packet.kind === 'message' && packet.message.message.startsWith('bad');
    if (bad) answer({ ok: false, error: { code: 'INVALID_MESSAGE', message: '' } });
    else if (refuse) answer({ ok: false, error: { code: 'UNAVAILABLE', message: '', retryAfterMs: 700 } });
    else {
      partner.coming.push(packet);
      answer({ ok: true });
    }
  }
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.clearAllTimers();
  jest.useRealTimers();
});

describe('two clients on a bad network', () => {
  it('show each message once and in order, and know it in the end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), fc.nat(1), (steps, last) => {
        const exchange = new Exchange();
        try {
          for (const each of steps) {
            exchange.take(each);
            exchange.checkAlways();
          }
          exchange.settle(last);
          exchange.checkAlways();
          exchange.check();
        } finally {
          exchange.close();
        }
      }),
      { numRuns: 500 },
    );
  });
});
