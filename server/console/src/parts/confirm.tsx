import type { ComponentChildren, FunctionComponent } from 'preact';
import { Dialog } from './dialog.tsx';

/** A question before something that cannot be undone. */
export interface Question {
  readonly title: string;
  readonly text: ComponentChildren;
  /** The verb on the button. */
  readonly verb: string;
  readonly run: () => void;
}

/** Asks before it is done; Escape is a no. */
export const Confirm: FunctionComponent<{ question: Question; onClose: () => void }> = ({
  question: { title, text, verb, run },
  onClose,
}) => (
  <Dialog class="confirm" label={title} onClose={onClose}>
    <h2>{title}</h2>
    <p>{text}</p>
    <p class="actions">
      <button
        type="button"
        onClick={() => {
          run();
          onClose();
        }}
      >
        {verb}
      </button>
      <button type="button" class="plain" onClick={onClose}>
        Cancel
      </button>
    </p>
  </Dialog>
);
