import type { Clock } from '../clock.ts';
import { type Kind, Mailbox } from './mailbox.ts';
import { User } from './user.ts';

/** Who may still be in the registry for this node though not here: how they went, and from when on the registry may be told. */
export interface Quarantined {
  from: number;
  how: 'lost' | 'left';
}

/** More users than this are not noted by name. */
const mostQuarantined = 10_000;

/**
 * Who is connected to this node. Alone it says who comes and goes: nobody else adds, removes or marks a user. A user who is just
 * coming or going has a mailbox here, too.
 */
export class Roster {
  readonly #clock: Clock;
  readonly #users = new Map<string, User>();
  /** Of users who are not here, as long as something is in them. */
  readonly #passing = new Map<string, Mailbox>();
  readonly #quarantine = new Map<string, Quarantined>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(userId: string): User | undefined {
    return this.#users.get(userId);
  }

  has(userId: string): boolean {
    return this.#users.has(userId);
  }

  get userIds(): Iterable<string> {
    return this.#users.keys();
  }

  get users(): Iterable<User> {
    return this.#users.values();
  }

  /** A user is here from now on. @param token hash of the token that resumes the user */
  add(userId: string, token?: string): User {
    const mailbox = this.#passing.get(userId) ?? new Mailbox();
    const user = new User(userId, { clock: this.#clock, mailbox, token });
    this.#passing.delete(userId);
    this.#users.set(userId, user);
    return user;
  }

  /** A user is here on another connection, with another token, than before: on this node or another one. */
  resume(userId: string, token: string, lastRequestId: number): User {
    const user = this.#users.get(userId) ?? this.add(userId);
    user.token = token;
    user.isTokenNew = true;
    user.connection++;
    user.lastRequestId = Math.max(user.lastRequestId, lastRequestId);
    return user;
  }

  /** A user is not here any more. What the mailbox holds is still done, or refused. {@link post} something afterwards. */
  remove(user: User, how: 'lost' | 'left' = 'lost'): void {
    user.departed = how;
    if (this.#users.get(user.userId) !== user) return;
    this.#users.delete(user.userId);
    this.#passing.set(user.userId, user.mailbox);
  }

  /** Nobody is here any more. @returns who was. At once, for all of them: 10,000 users take about a ms. */
  clear(): User[] {
    const users = [...this.#users.values()];
    for (const user of users) user.departed = 'lost';
    this.#users.clear();
    this.#quarantine.clear();
    return users;
  }

  /** The mailbox of a user who is here, or is just coming or going. */
  mailboxOf(userId: string): Mailbox | undefined {
    return this.#users.get(userId)?.mailbox ?? this.#passing.get(userId);
  }

  /** Does something in the order of the user's mailbox, whether the user is here or not: see {@link Mailbox.post}. */
  post<Result>(userId: string, kind: Kind, act: () => Result | Promise<Result>): Promise<Result> {
    let mailbox = this.mailboxOf(userId);
    if (!mailbox) {
      mailbox = new Mailbox();
      this.#passing.set(userId, mailbox);
    }
    const posted = mailbox;
    return posted.post(kind, act).finally(() => {
      if (!posted.isBusy && this.#passing.get(userId) === posted) this.#passing.delete(userId);
    });
  }

  /** Notes a user who may be in the registry for this node without being here. @returns false if there are too many */
  quarantine(userId: string, from: number, how: Quarantined['how']): boolean {
    const before = this.#quarantine.get(userId);
    if (this.#quarantine.size >= mostQuarantined) return false;
    this.#quarantine.set(userId, { from, how: before?.how === 'left' ? 'left' : how });
    return true;
  }

  get quarantined(): ReadonlyMap<string, Quarantined> {
    return this.#quarantine;
  }

  /** The registry has nothing of the user for this node, unless there is a new reason to doubt that. */
  release(userId: string, quarantined: Quarantined): void {
    if (this.#quarantine.get(userId) === quarantined) this.#quarantine.delete(userId);
  }
}
