import { useEffect, useRef } from 'preact/hooks';
import { texts } from './texts.ts';

interface Props {
  link: string;
  onClose: () => void;
}

/** Asks before a stranger's link is followed, and says where it really leads. */
export function LinkDialog({ link, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const close = (): void => dialog.current?.close();
  return (
    <dialog ref={dialog} aria-labelledby="link-question" onClose={onClose}>
      <h2 class="question" id="link-question">
        {texts.linkQuestion}
      </h2>
      <p class="paragraph">{texts.linkWarning}</p>
      <p class="paragraph">
        {texts.linkTo} <strong dir="ltr">{new URL(link).host}</strong>
      </p>
      <p class="address" dir="ltr">
        {link}
      </p>
      <div class="actions">
        <button type="button" class="secondary" onClick={close}>
          {texts.cancel}
        </button>
        <a class="primary" href={link} target="_blank" rel="noopener noreferrer nofollow" onClick={close}>
          {texts.openLink}
        </a>
      </div>
    </dialog>
  );
}
