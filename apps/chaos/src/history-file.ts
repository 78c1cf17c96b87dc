import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import type { EndState, History, HistoryEvent, Settings } from './history.ts';
import { OptionsError } from './options.ts';

/** Writes a history as lines of JSON: the settings, then an event each, and the end state. */
export async function writeHistory(file: string, { settings, events, end }: History): Promise<void> {
  const stream = createWriteStream(file);
  const done = finished(stream);
  stream.write(`${JSON.stringify({ settings })}\n`);
  for (const event of events) {
    if (!stream.write(`${JSON.stringify(event)}\n`)) await once(stream, 'drain');
  }
  stream.end(`${JSON.stringify({ end })}\n`);
  await done;
}

/** @throws OptionsError when the file cannot be read or is not a whole history */
export async function readHistory(file: string): Promise<History> {
  const events: HistoryEvent[] = [];
  let settings: Settings | undefined;
  let end: EndState | undefined;
  const input = createReadStream(file);
  // An error while lines are read would be thrown where nobody can catch it.
  await once(input, 'open').catch(({ code }) => {
    throw new OptionsError(`The history ${file} cannot be read (${code}).`);
  });
  for await (const line of createInterface({ input })) {
    const parsed = JSON.parse(line) as { settings: Settings } | { end: EndState } | HistoryEvent;
    if ('settings' in parsed) settings = parsed.settings;
    else if ('end' in parsed) end = parsed.end;
    else events.push(parsed);
  }
  if (!settings || !end) throw new OptionsError(`${file} is not a whole history of a run.`);
  return { settings, events, end };
}
