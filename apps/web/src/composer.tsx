import type { Ref, TextareaHTMLAttributes } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Part } from './app.tsx';
import { texts } from './texts.ts';
import { useFocus } from './use-focus.ts';

/** What the servers' `MAX_MESSAGE_CHARACTERS` says by default; the client refuses longer messages. */
const mostCharacters = 500;
/** From here on it is worth telling how many are left. */
const fewLeft = 60;
/** Someone who stops for this long is not typing any more. */
const typingMs = 4000;

type FieldProps = TextareaHTMLAttributes<HTMLTextAreaElement> & { value: string; field?: Ref<HTMLTextAreaElement> };

/** Where one writes; after the chat, where one goes on, and finds what was not sent. */
export function Composer({ view: { phase, escaping }, screen }: Part) {
  return phase === 'ended' ? (
    <div class="composer ended">
      {screen.draft.trim() !== '' && <NotSent text={screen.draft} />}
      <NextStranger screen={screen} />
      {escaping && <p class="hint">{texts.escapeAgain}</p>}
    </div>
  ) : (
    <Writing screen={screen} escaping={escaping} />
  );
}

/** To be read and copied, until the next chat. */
function NotSent({ text }: { text: string }) {
  return (
    <>
      <p class="hint" id="not-sent">
        {texts.notSent}
      </p>
      <Field value={text} readOnly aria-labelledby="not-sent" />
    </>
  );
}

/** As high as its text. */
function Field({ field = null, ...attributes }: FieldProps) {
  return (
    <div class="field">
      <div class="copy" aria-hidden="true">
        {attributes.value}{' '}
      </div>
      <textarea ref={field} rows={1} dir="auto" {...attributes} />
    </div>
  );
}

function NextStranger({ screen }: Pick<Part, 'screen'>) {
  const button = useFocus<HTMLButtonElement>();
  return (
    <button ref={button} type="button" class="primary large" onClick={() => screen.next()}>
      {texts.nextStranger}
    </button>
  );
}

function Writing({ screen, escaping }: Pick<Part, 'screen'> & { escaping: boolean }) {
  const [text, setText] = useState(screen.draft);
  const field = useRef<HTMLTextAreaElement>(null);
  const typingEnds = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const left = mostCharacters - [...text.trim()].length;

  useEffect(() => {
    // On a phone this would open the keyboard over what the user has not seen yet.
    if (matchMedia('(hover: hover)').matches) field.current?.focus({ preventScroll: true });
    return () => clearTimeout(typingEnds.current);
  }, []);

  const isKeys = !escaping && left >= fewLeft;

  const keep = (value: string): void => {
    setText(value);
    screen.draft = value;
  };

  const input = (value: string): void => {
    keep(value);
    clearTimeout(typingEnds.current);
    screen.setTyping(value.trim() !== '');
    typingEnds.current = setTimeout(() => screen.setTyping(false), typingMs);
  };

  const send = (): void => {
    if (text.trim() === '') return;
    if (screen.send(text)) {
      clearTimeout(typingEnds.current);
      keep('');
    }
    field.current?.focus({ preventScroll: true });
  };

  return (
    <form
      class="composer"
      onSubmit={event => {
        event.preventDefault();
        send();
      }}
    >
      <button type="button" class="secondary next" onClick={() => screen.next()}>
        {texts.next}
      </button>
      <Field
        field={field}
        value={text}
        placeholder={texts.writeMessage}
        aria-label={texts.message}
        aria-describedby="keys"
        aria-invalid={left < 0}
        enterkeyhint="send"
        autocomplete="off"
        onInput={event => input(event.currentTarget.value)}
        onKeyDown={event => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <button type="submit" class="primary send" aria-label={texts.send} disabled={text.trim() === '' || left < 0}>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M12 20V5M5.5 11.5 12 5l6.5 6.5" />
        </svg>
      </button>
      <p class={isKeys ? 'hint keys' : 'hint'} id="keys">
        {isKeys ? texts.keys : hint(left, escaping)}
      </p>
    </form>
  );
}

function hint(left: number, escaping: boolean): string {
  if (escaping) return texts.escapeAgain;
  return left < 0 ? texts.tooLong(-left) : texts.charactersLeft(left);
}
