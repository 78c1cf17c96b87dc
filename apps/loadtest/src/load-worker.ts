import { cachedLookup } from './cached-lookup.ts';
import { now } from './clock.ts';
import { LoadUser, type UserSetting } from './load-user.ts';
import type { LoaderCommands, LoaderEnd, LoaderNews, LoaderSetup, Underway } from './loader-commands.ts';
import { Pacer } from './pacer.ts';
import { type Scenario, type ScenarioKind, scenarios } from './scenario.ts';
import type { Mismatch, SessionSide, SideReport } from './session-side.ts';
import { Tally } from './tally.ts';

/** One sentence each is enough for so many mismatches. */
const mostComplaints = 20;
/** How often it is looked whether all users are ready. */
const checkEveryMs = 20;
/** Whoever began to wait later may be matched in this moment. */
const longWaitMs = 3000;

/** The users of one worker process. */
export class LoadWorker implements LoaderCommands {
  readonly #tally = new Tally();
  readonly #users: LoadUser[] = [];
  readonly #sides = new Set<SessionSide>();
  #reports: SideReport[] = [];
  #complaints: string[] = [];
  #complained = 0;
  #talkMs = 0;
  #kind: ScenarioKind | undefined;
  #scenario: Scenario | undefined;
  #connecting: Pacer | undefined;
  #stoppedAt: number | undefined;

  start(setup: LoaderSetup): void {
    const { scenario, run, targets, users, index, workers, messageCharacters, talkMs, at, rampMs } = setup;
    this.#talkMs = talkMs;
    this.#kind = scenarios[scenario];
    this.#scenario = this.#kind.make();
    const setting: UserSetting = {
      ...{ tally: this.#tally, run, messageCharacters, resumes: this.#kind.resumes, sides: this.#sides },
      clientOptions: { lookup: cachedLookup(), timeoutMs: 30_000 },
      ended: side => this.#reports.push(side.report()),
      mismatch: (kind, sentence) => this.#mismatch(kind, sentence),
    };
    for (let number = index; number < users; number += workers) {
      const url = targets[number % targets.length] as string;
      this.#users.push(new LoadUser(number.toString(36), url, setting, this.#scenario));
    }
    const connect = this.#users.values();
    const next = (dueAt: number): void => {
      const { value: user } = connect.next();
      if (user) user.connect(dueAt);
      else this.#connecting?.stop();
    };
    this.#connecting = new Pacer(next);
    this.#connecting.set(rampMs > 0 ? (this.#users.length * 1000) / rampMs : 1e9, at);
  }

  async ready(): Promise<void> {
    const states = this.#kind?.ready === 'paired' ? ['paired'] : ['idle', 'waiting', 'paired', 'parting'];
    await new Promise<void>(resolve => {
      const timer = setInterval(() => {
        if (!this.#users.every(user => states.includes(user.state))) return;
        clearInterval(timer);
        resolve();
      }, checkEveryMs);
    });
  }

  load(options: { at: number; durationMs: number; perSecond: number }): void {
    this.#scenario?.begin({ ...options, users: this.#users, talkMs: this.#talkMs, tally: this.#tally });
  }

  rate(perSecond: number): void {
    this.#scenario?.setRate(perSecond);
  }

  stop(): void {
    this.#stoppedAt ??= now();
    this.#connecting?.stop();
    this.#scenario?.stop();
  }

  news(): LoaderNews {
    const [sides, complaints] = [this.#reports, this.#complaints];
    this.#reports = [];
    this.#complaints = [];
    return { tally: this.#tally.take(), sides, complaints };
  }

  underway(): Underway {
    const underway: Underway = { accepted: 0, received: 0, waiting: 0, pending: false };
    for (const side of this.#sides) {
      const { accepted, received } = side.settled;
      underway.accepted += accepted;
      underway.received += received;
      underway.pending ||= side.isPending;
    }
    underway.waiting = this.#users.filter(({ state }) => state === 'waiting').length;
    underway.pending ||= this.#users.some(user => this.#unanswered(user) !== undefined);
    return underway;
  }

  settle(complete: boolean): LoaderEnd {
    for (const side of this.#sides) {
      if (!complete) side.leave();
      else if (side.isPending) this.#mismatch('unanswered', `A message in ${side.session} was never answered.`);
    }
    for (const user of complete ? this.#users : []) {
      const event = this.#unanswered(user);
      if (event) this.#mismatch('unanswered', `User ${user.name} asked for ${event}, which was never answered.`);
    }
    const news = this.news();
    for (const side of this.#sides) news.sides.push(side.report());
    this.#sides.clear();
    const waitingSince = now() - longWaitMs;
    return {
      ...news,
      away: this.#users.filter(({ state }) => state === 'away').length,
      waiting: this.#users.filter(user => user.isWaitingSince(waitingSince)).length,
    };
  }

  /** What a user asked before the end, and got no answer to. Later some only try again what was refused. */
  #unanswered(user: LoadUser): string | undefined {
    return this.#stoppedAt === undefined ? undefined : user.unanswered(this.#stoppedAt);
  }

  #mismatch(kind: Mismatch, sentence: string): void {
    this.#tally.mismatch(kind);
    this.#complained += 1;
    if (this.#complained <= mostComplaints) this.#complaints.push(sentence);
  }

  close(): void {
    for (const user of this.#users) user.close();
    this.#tally.stop();
  }
}
