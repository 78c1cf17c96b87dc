import { useEffect, useState } from 'preact/hooks';
import type { Part } from './app.tsx';
import { texts } from './texts.ts';
import { waitSentence } from './trouble-sentence.ts';
import type { Trouble, View } from './view.ts';

/** What is the matter, above the place where one writes: at most one thing at a time, and what the operator says. */
export function Banner({ view, screen }: Part) {
  const { announcement, trouble } = view;
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
      {trouble ? (
        <TroubleBanner trouble={trouble} onTryAgain={() => screen.tryAgain()} />
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

function TroubleBanner({ trouble, onTryAgain }: { trouble: Trouble; onTryAgain: () => void }) {
  const { code, of, until } = trouble;
  const leftMs = useTimeLeft(until);
  return (
    <div class="banner warning" data-code={code}>
      <p>
        {texts.errors[code] ?? texts.errors.UNAVAILABLE}{' '}
        {until !== undefined && of !== 'text' && <span class="figures">{waitSentence(of, leftMs)}</span>}
      </p>
      {of === 'command' && (
        <button type="button" class="secondary" disabled={leftMs > 0} onClick={onTryAgain}>
          {texts.tryAgain}
        </button>
      )}
    </div>
  );
}

/** How long it is until then, in ms: a new value each second. */
function useTimeLeft(until: number | undefined): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    if (until === undefined) return;
    const tick = (): void => setNow(performance.now());
    tick();
    const timer = setInterval(tick, 250);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, (until ?? 0) - now);
}
