import { count, time } from './format.ts';
import type { LostReport, NodeReport, Report } from './report.ts';

/** A sentence that an operator should read. `bad`: something does not work as it should. `note`: it will pass by itself. */
export interface Finding {
  level: 'bad' | 'note';
  text: string;
}

/** A node says something every two seconds. */
const silentMs = 8000;
const longLagMs = 60_000;
const longDelayMs = 100;

/**
 * `silent`: it has its lease, and has said nothing for a while. `quiet`: it never says anything, as of another version. `lost`:
 * it has no lease any more, and did not say goodbye.
 */
export type NodeState = 'ok' | 'busy' | 'draining' | 'silent' | 'quiet' | 'lapsed' | 'lost';

export function stateOf(node: NodeReport | LostReport): NodeState {
  if (!('lapsed' in node)) return 'lost';
  const { lapsed, last } = node;
  if (lapsed) return 'lapsed';
  if (!last) return 'quiet';
  if (last.ageMs > silentMs) return 'silent';
  if (last.status.draining) return 'draining';
  return last.status.eventLoopDelayMs > longDelayMs ? 'busy' : 'ok';
}

/** What is worth a sentence, the bad news first. */
export function findings({ nodes, lost = [], recorder, outbox, waiting, oldestWaitMs }: Report): Finding[] {
  const found: Finding[] = [];
  const bad = (text: string) => found.push({ level: 'bad', text });
  const note = (text: string) => found.push({ level: 'note', text });
  const named = (state: NodeState) => nodes.filter(node => stateOf(node) === state).map(({ nodeId }) => nodeId);
  const some = (ids: string[]) =>
    ids.length > 3 ? `${ids.slice(0, 3).join(', ')} and ${ids.length - 3} more` : ids.join(', ');

  const lapsed = named('lapsed');
  const silent = named('silent');
  if (nodes.length === lapsed.length) bad('No node has a lease.');
  if (lapsed.length > 0) bad(`The lease lapsed of ${some(lapsed)}. Others take over the users there.`);
  if (lost.length > 0)
    bad(`Died, or hung until others took over the users there: ${some(lost.map(({ nodeId }) => nodeId))}.`);
  if (silent.length > 0) bad(`Nothing was heard for a while of ${some(silent)}.`);
  if (!recorder) bad('No recorder has been heard of for half a minute. Facts wait in the outbox.');
  else if (!recorder.status.recording) bad('The recorder cannot record. Facts wait in the outbox; its log says why.');
  if (outbox.oldestAgeMs > longLagMs)
    bad(`The oldest fact has waited for the recorder for ${time(outbox.oldestAgeMs)}.`);
  if (outbox.setAside > 0) bad(`${count(outbox.setAside)} facts were refused and are set aside.`);
  if (waiting > 1 && oldestWaitMs > longLagMs)
    bad(`${count(waiting)} users wait, one of them for ${time(oldestWaitMs)}.`);
  const busy = named('busy');
  if (busy.length > 0) bad(`Too busy, with an event loop that is late by more than ${longDelayMs} ms: ${some(busy)}.`);

  const draining = named('draining');
  const quiet = named('quiet');
  if (draining.length > 0) note(`Being stopped: ${some(draining)}.`);
  if (quiet.length > 0) note(`Nodes that do not say how they are, perhaps of another version: ${some(quiet)}.`);
  const versions = new Set(nodes.flatMap(({ last }) => (last ? [last.status.version] : [])));
  if (versions.size > 1) note(`Nodes of several versions: ${[...versions].sort().join(', ')}.`);
  return found;
}
