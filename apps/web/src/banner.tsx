import { useEffect, useState } from 'preact/hooks';
import type { Part } from './app.tsx';
import { texts } from './texts.ts';
import { timeLeft, troubleSentence } from './trouble.ts';
import type { Trouble, View } from './view.ts';

/** Above the place where one writes: what the operator says, what the user could not do, and what else is the matter. */
export function Banner({ view, screen }: Part) {
  const { announcement, failure, trouble } = view;
  const sentence = connectionSentence(view);
  return (
    <div class="banners">
      {announcement !== undefined && (
        <div class="banner">
          <p>
            <strong>{texts.announcement}</strong> <span dir="auto">{announcement}</span>
          </p>
          <button type="button" class="quiet" onClick={() => screen.dismissAnnouncement()}>
            {texts.dismiss}
          </button>
        </div>
      )}
      {failure && <TroubleBanner trouble={failure} onTryAgain={() => screen.tryAgain()} />}
      {trouble ? (
        <TroubleBanner trouble={trouble} />
      ) : (
        sentence && (
          <div class={view.offline || view.interrupted ? 'banner warning' : 'banner'}>
            <p>{sentence}</p>
          </div>
        )
      )}
    </div>
  );
}

/** The user's own connection first: while it is away, nothing is known of the partner's. */
function connectionSentence({ phase, offline, interrupted, partnerAway }: View): string | undefined {
  const inChat = phase === 'chatting';
  if (offline) return inChat ? texts.offline : texts.offlineIdle;
  if (interrupted) return inChat ? texts.reconnecting : texts.reconnectingIdle;
  return partnerAway && inChat ? texts.partnerAway : undefined;
}

function TroubleBanner({ trouble, onTryAgain }: { trouble: Trouble; onTryAgain?: () => void }) {
  useClock();
  return (
    <div class="banner warning" data-code={trouble.code}>
      <p class="figures">{troubleSentence(trouble)}</p>
      {onTryAgain && (
        <button type="button" class="secondary" disabled={timeLeft(trouble) > 0} onClick={onTryAgain}>
          {texts.tryAgain}
        </button>
      )}
    </div>
  );
}

/** Shows the time that is left as it passes. */
function useClock(): void {
  const [, setNow] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 250);
    return () => clearInterval(timer);
  }, []);
}
