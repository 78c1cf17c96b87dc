import type { Ack, EndReason } from '@passerby/protocol';
import type { ClientKind, Operation, OperationName, Recording, State, StrangerEvent } from './history.ts';

/** What one person's client asks for and sees goes from here into the history. */
export class Diary {
  readonly #recording: Recording;
  readonly #person: string;
  readonly #client: ClientKind;
  #users = 0;
  /** The user that the person is now. */
  user = '';

  constructor(recording: Recording, person: string, client: ClientKind) {
    this.#recording = recording;
    this.#person = person;
    this.#client = client;
  }

  /** From now on the person is somebody else. */
  newUser(): void {
    this.#users += 1;
    this.user = `${this.#person}.${this.#users}`;
  }

  /** The server calls the user so. */
  named(userId: string): void {
    this.#recording.add({ kind: 'user', user: this.user, userId, person: this.#person, client: this.#client });
  }

  up(node: string, state?: State): void {
    this.#recording.add({ kind: 'up', user: this.user, node, ...(state !== undefined && { state }) });
  }

  down(why?: 'reload'): void {
    this.#recording.add({ kind: 'down', user: this.user, ...(why === 'reload' && { reload: true }) });
  }

  copied(): void {
    this.#recording.add({ kind: 'copied', user: this.user });
  }

  closed(how: 'replaced' | 'lost' | 'left'): void {
    this.#recording.add({ kind: 'closed', user: this.user, how });
  }

  /** Somebody else shows a token of the user. */
  stranger(): StrangerEvent {
    return this.#recording.add<StrangerEvent>({ kind: 'stranger', user: this.user });
  }

  /** It is known whether the stranger was taken for the user. */
  unmasked(stranger: StrangerEvent, resumed: boolean): void {
    stranger.endedAt = this.#recording.now();
    stranger.resumed = resumed;
  }

  gone(how: 'left' | 'lost'): void {
    this.#recording.add({ kind: 'gone', user: this.user, how });
  }

  matched(session: string): void {
    this.#recording.add({ kind: 'matched', user: this.user, session });
  }

  over(session: string, reason: EndReason): void {
    this.#recording.add({ kind: 'over', user: this.user, session, reason });
  }

  away(session: string): void {
    this.#recording.add({ kind: 'away', user: this.user, session });
  }

  back(session: string): void {
    this.#recording.add({ kind: 'back', user: this.user, session });
  }

  /** The text of message `n` of a session. It says where it belongs, so that whoever sees it can tell. */
  text(session: string, n: number): string {
    return `${this.user}:${session}:${n}`;
  }

  /** @param late in a tab that had been copied before */
  shown(text: string, late = false): void {
    const [, from, session, n] = /^([\w.]+):([\w-]+):(\d+)$/.exec(text) ?? [];
    if (from !== undefined && session !== undefined && n !== undefined) {
      this.#recording.add({
        ...{ kind: 'shown', user: this.user, from, session, n: Number(n) },
        ...(late && { late }),
      });
    } else {
      this.complain(`${this.user} was shown a text that nobody wrote: ${JSON.stringify(text.slice(0, 100))}.`);
    }
  }

  delivered(session: string, n: number): void {
    this.#recording.add({ kind: 'delivered', user: this.user, session, n });
  }

  complain(text: string): void {
    this.#recording.add({ kind: 'complaint', user: this.user, text });
  }

  /** Something is asked for. */
  ask(op: OperationName, details: { session?: string | undefined; n?: number } = {}): Operation {
    const { session, n } = details;
    return this.#recording.add<Operation>({
      ...{ kind: 'op', user: this.user, op },
      ...(session !== undefined && { session }),
      ...(n !== undefined && { n }),
    });
  }

  /** It was answered. */
  answered(operation: Operation, answer: Ack<{ state?: string; sessionId?: string }>): void {
    if (!answer.ok) {
      this.settle(operation, 'failed', answer.error.code);
      return;
    }
    this.settle(operation, 'ok');
    const { state, sessionId } = answer;
    if (state !== undefined) operation.reply = { state, ...(sessionId !== undefined && { sessionId }) };
  }

  settle(operation: Operation, outcome: 'ok' | 'failed' | 'unknown', code?: string): void {
    operation.endedAt = this.#recording.now();
    operation.outcome = outcome;
    if (code !== undefined) operation.code = code;
  }
}
