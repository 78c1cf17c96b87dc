import { useEffect, useState } from 'preact/hooks';
import { Banner } from './banner.tsx';
import type { ChatScreen } from './chat-screen.ts';
import { Closed } from './closed.tsx';
import { Composer } from './composer.tsx';
import { Home } from './home.tsx';
import { LinkDialog } from './link-dialog.tsx';
import { Mark } from './mark.tsx';
import { MessageLog } from './message-log.tsx';
import { Searching } from './searching.tsx';
import { texts } from './texts.ts';
import { useUnreadTitle } from './use-unread-title.ts';
import type { View } from './view.ts';

export interface Part {
  view: View;
  screen: ChatScreen;
}

/** The whole page. */
export function App({ view, screen }: Part) {
  const [link, setLink] = useState<string>();
  useEscape(screen);
  useUnreadTitle(view.entries.at(-1));
  const { phase, closed, lobby, partnerAway } = view;
  const inChat = phase === 'chatting' || phase === 'ended';
  return (
    <div class="page" data-phase={closed ? 'closed' : phase} data-connection={view.connection}>
      <header>
        <h1 class="brand">
          <Mark />
          {texts.name}
        </h1>
        {lobby && (closed || phase !== 'home') && (
          <p class="online">
            <span class="dot" />
            {/* The server's count is a few seconds old. */}
            {texts.onlineShort(Math.max(lobby.online, phase === 'chatting' && !partnerAway ? 2 : 1))}
          </p>
        )}
        {phase === 'chatting' && (
          <button type="button" class="quiet" onClick={() => screen.stop()}>
            {texts.stop}
          </button>
        )}
      </header>
      <main>
        {closed && <Closed view={view} screen={screen} />}
        {!closed && phase === 'home' && <Home view={view} screen={screen} />}
        {!closed && (phase === 'searching' || phase === 'returning') && <Searching view={view} screen={screen} />}
        {!closed && inChat && <MessageLog view={view} onLink={setLink} />}
        {!closed && <Banner view={view} screen={screen} />}
        {!closed && inChat && <Composer key={view.sessionId} view={view} screen={screen} />}
      </main>
      {link !== undefined && <LinkDialog link={link} onClose={() => setLink(undefined)} />}
    </div>
  );
}

function useEscape(screen: ChatScreen): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      // An Esc that ends the input of a character, or closes a dialog, is not meant for the chat.
      const isForOther = event.isComposing || event.repeat || document.querySelector('dialog[open]') !== null;
      if (event.key === 'Escape' && !isForOther) screen.escape();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [screen]);
}
