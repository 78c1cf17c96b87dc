import type { Timeline, Violation } from '../timeline.ts';

/** No process ended by itself, none wrote to standard error, and whatever else must not happen at all. */
export function checkComplaints({ history }: Timeline): Violation[] {
  return history.events.flatMap(event =>
    event.kind === 'complaint'
      ? [{ check: 'complaint', at: event.at, text: event.text, users: event.user ? [event.user] : [] }]
      : [],
  );
}
