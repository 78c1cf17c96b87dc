import type { EndReason } from '@passerby/protocol';
import { check, type Verdict } from '../src/check.ts';
import type { EndState, FaultEvent, History, HistoryEvent, Operation, SessionRow } from '../src/history.ts';

const settings = { seed: 1, boundMs: 8000, leaseMs: 5000, graceMs: 5000 };
const nothing: EndState = { rows: [], keys: [], leases: ['n1'], nodes: ['n1'], leasesLeft: [] };

/** A history by hand. Times are in seconds, for the reader. */
export class WrittenHistory {
  readonly events: HistoryEvent[] = [{ kind: 'phase', at: 0, phase: 'load' }];
  readonly end: EndState = { ...nothing, rows: [] };

  /** These users come, on nodes `node-1`, `node-2`, … */
  come(...users: string[]): this {
    for (const [index, user] of users.entries()) {
      this.add({ kind: 'user', at: 1, user, userId: `id-${user}`, person: user, client: 'plain' });
      this.add({ kind: 'up', at: 1, user, node: `node-${index + 1}#1` });
    }
    return this;
  }

  /** These users come with a client that resumes. */
  comeToStay(...users: string[]): this {
    this.come(...users);
    for (const event of this.events) {
      if (event.kind === 'user' && users.includes(event.user)) event.client = 'resuming';
    }
    return this;
  }

  /** They look for a partner and find each other; the row is written, too. */
  pair(session: string, seconds: number, one: string, other: string): this {
    for (const user of [one, other]) {
      this.ask({ user, op: 'search', seconds, reply: { state: 'paired', sessionId: session } });
      this.add({ kind: 'matched', at: seconds * 1000, user, session });
    }
    return this.row({ id: session, userA: `id-${one}`, userB: `id-${other}`, startedAt: seconds * 1000 });
  }

  /** `who` ends it, and the other is told at once. */
  part(session: string, seconds: number, who: string, other: string): this {
    this.ask({ user: who, op: 'end', seconds, session, reply: { state: 'idle' } });
    return this.over(session, seconds, other, 'end');
  }

  over(session: string, seconds: number, user: string, reason: EndReason = 'disconnect'): this {
    return this.add({ kind: 'over', at: seconds * 1000, user, session, reason });
  }

  /** Ann's tab, or another's, is copied, and the copy is there a moment later; what becomes of the first one is not said. */
  copy(user: string, seconds: number, node = 'node-3#1'): this {
    return this.add({ kind: 'copied', at: seconds * 1000, user })
      .add({ kind: 'down', at: seconds * 1000 + 100, user, reload: true })
      .add({ kind: 'up', at: seconds * 1000 + 100, user, node, state: 'paired' });
  }

  send(user: string, session: string, n: number, seconds: number): this {
    return this.ask({ user, op: 'send', session, n, seconds });
  }

  show(user: string, from: string, session: string, n: number, seconds: number): this {
    return this.add({ kind: 'shown', at: seconds * 1000, user, from, session, n });
  }

  /** In a tab that had been copied before. */
  showLate(user: string, from: string, session: string, n: number, seconds: number): this {
    return this.add({ kind: 'shown', at: seconds * 1000, user, from, session, n, late: true });
  }

  /** Asks and gets the answer in the same moment, unless `details` say otherwise. */
  ask({ seconds, ...details }: Omit<Operation, 'kind' | 'at'> & { seconds: number }): this {
    return this.add({ kind: 'op', at: seconds * 1000, endedAt: seconds * 1000, outcome: 'ok', ...details });
  }

  fault(details: Partial<FaultEvent> & { at: number }): this {
    const none = { halts: [], cuts: [], redis: false, recording: false, losesData: false };
    return this.add({ kind: 'fault', name: 'node-pause', target: 'it', ...none, ...details });
  }

  /** Adds a row that is closed as soon as it begins, unless `details` say otherwise. */
  row(details: Pick<SessionRow, 'id' | 'userA' | 'userB' | 'startedAt'> & Partial<SessionRow>): this {
    this.end.rows = this.end.rows.filter(({ id }) => id !== details.id);
    this.end.rows.push({ endedAt: details.startedAt, endReason: 'end', ...details });
    return this;
  }

  add(event: HistoryEvent): this {
    this.events.push(event);
    return this;
  }

  phase(phase: 'roll-call' | 'closing', seconds: number): this {
    return this.add({ kind: 'phase', at: seconds * 1000, phase });
  }

  history(): History {
    return { settings, events: this.events, end: this.end };
  }

  verdict(): Verdict {
    return check(this.history());
  }

  /** The names of the checks that find something wrong. */
  found(): string[] {
    return this.verdict().violations.map(violation => violation.check);
  }
}
