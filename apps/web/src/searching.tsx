import type { Part } from './app.tsx';
import { Mark } from './mark.tsx';
import { texts } from './texts.ts';
import { useFocus } from './use-focus.ts';

/** While a partner is looked for, or the server asked for the chat of before. */
export function Searching({ view: { phase, connection, lobby }, screen }: Part) {
  const button = useFocus<HTMLButtonElement>();
  const what = connection === 'connecting' ? texts.connecting : texts.searching;
  return (
    <section class="centre">
      <Mark moving />
      <h2>{phase === 'returning' ? texts.returning : what}</h2>
      <p class="muted figures">{phase === 'searching' && lobby && waitSentence(lobby)}</p>
      <button ref={button} type="button" class="secondary" onClick={() => screen.stop()}>
        {phase === 'searching' ? texts.stopSearching : texts.leave}
      </button>
    </section>
  );
}

function waitSentence({ online, waitMs }: NonNullable<Part['view']['lobby']>): string {
  if (online <= 1) return texts.alone;
  return waitMs === null ? '' : texts.probableWait(waitMs);
}
