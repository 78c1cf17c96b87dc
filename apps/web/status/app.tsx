import { useEffect, useState } from 'preact/hooks';
import { tabStorage } from '../src/tab-storage.ts';
import { Dashboard } from './dashboard.tsx';
import { type FeedNews, follow } from './feed.ts';
import { time } from './format.ts';

/** The token lasts as long as the tab. */
const key = 'passerby-admin-token';
const storage = tabStorage();

export function App() {
  const [token, setToken] = useState(() => storage?.getItem(key) ?? '');
  /** Asks again also with a token that was refused before: it may be right by now. */
  const [attempt, setAttempt] = useState(0);
  const [news, setNews] = useState<FeedNews>();
  const [now, setNow] = useState(Date.now);

  useEffect(() => {
    if (!token) return;
    const ending = new AbortController();
    void follow(token, setNews, ending.signal);
    const clock = setInterval(() => setNow(Date.now()), 1000);
    return () => {
      ending.abort();
      clearInterval(clock);
    };
  }, [token, attempt]);

  const enter = (given: string) => {
    storage?.setItem(key, given);
    setNews(undefined);
    setToken(given);
    setAttempt(attempt + 1);
  };
  const leave = () => {
    storage?.removeItem(key);
    setNews(undefined);
    setToken('');
  };

  if (!token || news?.state === 'refused') return <SignIn refused={news?.state === 'refused'} enter={enter} />;
  return (
    <>
      <header>
        <h1>Passerby: status</h1>
        <Freshness news={news} now={now} />
        <button type="button" class="plain" onClick={leave}>
          Forget the token
        </button>
      </header>
      {news?.report ? <Dashboard report={news.report} /> : <p class="none">{news?.problem || 'Asking …'}</p>}
    </>
  );
}

function Freshness({ news, now }: { news: FeedNews | undefined; now: number }) {
  const ageMs = news?.answeredAt ? Math.max(0, now - news.answeredAt) : 0;
  const old = news?.state === 'failing';
  const text =
    old && news?.report ? `${news.problem} These figures are ${time(ageMs)} old.` : old ? news?.problem : 'live';
  return <p class={old ? 'freshness old' : 'freshness'}>{news ? text : 'connecting'}</p>;
}

function SignIn({ refused, enter }: { refused: boolean; enter: (token: string) => void }) {
  const [given, setGiven] = useState('');
  return (
    <main class="sign-in">
      <h1>Passerby: status</h1>
      <form
        onSubmit={event => {
          event.preventDefault();
          if (given.trim()) enter(given.trim());
        }}
      >
        <label for="token">Admin token</label>
        <input
          id="token"
          type="password"
          autocomplete="current-password"
          value={given}
          onInput={event => setGiven(event.currentTarget.value)}
          aria-describedby="about"
          aria-invalid={refused}
        />
        <button type="submit">Show</button>
        <p id="about" class={refused ? 'bad' : 'hint'} role={refused ? 'alert' : undefined}>
          {refused
            ? 'This is not the admin token.'
            : 'What ADMIN_TOKEN is set to. This tab keeps it until it is closed.'}
        </p>
      </form>
    </main>
  );
}
