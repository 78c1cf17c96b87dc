import type { Part } from './app.tsx';
import { Mark } from './mark.tsx';
import { texts } from './texts.ts';
import { useFocus } from './use-focus.ts';

/** Before the first chat. */
export function Home({ view: { lobby }, screen }: Part) {
  const button = useFocus<HTMLButtonElement>();
  return (
    <section class="centre">
      <Mark />
      <h2>{texts.tagline}</h2>
      <p>{texts.about}</p>
      <button ref={button} type="button" class="primary large" onClick={() => screen.next()}>
        {texts.start}
      </button>
      {/* There from the beginning, so that nothing moves when it is known. */}
      <p class="muted figures">{lobby && lobbySentence(lobby)}</p>
      <p class="muted small">{texts.manners}</p>
    </section>
  );
}

function lobbySentence({ online, waitMs }: NonNullable<Part['view']['lobby']>): string {
  const wait = waitMs === null ? '' : ` ${texts.usualWait(waitMs)}`;
  return online <= 1 ? texts.alone : `${texts.online(online)}.${wait}`;
}
