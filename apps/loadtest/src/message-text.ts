/** What a message says of itself. */
export interface MessageMark {
  /** The run of the load tester that wrote it; several may load one server. */
  run: string;
  /** The session in which it was written. */
  session: string;
  /** Who wrote it, within the run. */
  user: string;
  /** Its number among what this user wrote in this session, from 1. */
  n: number;
  /** When it was to be sent by the schedule, on the clock of `now()`. */
  at: number;
}

/** The fewest characters that hold a mark, whatever its session is called. */
export const leastCharacters = 90;

const marked = /^load (\w+) (\S+) (\w+) (\d+) ([\da-z]+) \.*$/;

/** A text that carries a mark, filled up to so many characters. Cleaning leaves it as it is: the last one is never a space. */
export function writeMessage({ run, session, user, n, at }: MessageMark, characters: number): string {
  const mark = `load ${run} ${session} ${user} ${n} ${Math.round(at * 1000).toString(36)} .`;
  return mark.padEnd(characters, '.');
}

/** The mark of a text, or undefined when it carries none. */
export function readMessage(text: string): MessageMark | undefined {
  const [, run, session, user, n, at] = marked.exec(text) ?? [];
  if (run === undefined || session === undefined || user === undefined || at === undefined) return undefined;
  return { run, session, user, n: Number(n), at: Number.parseInt(at, 36) / 1000 };
}
