import type { Part } from './app.tsx';
import { Mark } from './mark.tsx';
import { texts } from './texts.ts';
import { useFocus } from './use-focus.ts';

/** When the server has closed the connection for good. */
export function Closed({ view: { closed }, screen }: Part) {
  const button = useFocus<HTMLButtonElement>();
  const replaced = closed === 'REPLACED';
  return (
    <section class="centre">
      <Mark />
      <h2>{replaced ? texts.replacedTitle : texts.closedTitle}</h2>
      <p>{replaced ? texts.replaced : texts.closed}</p>
      <button ref={button} type="button" class="primary" onClick={() => void screen.reconnect()}>
        {replaced ? texts.takeBack : texts.beginAnew}
      </button>
    </section>
  );
}
