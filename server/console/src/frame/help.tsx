import type { FunctionComponent } from 'preact';
import { Dialog } from '../parts/dialog.tsx';
import { shortcutsOf } from './shortcuts.ts';
import type { ViewEntry } from './views.ts';

/** The keys of the console. */
export const Help: FunctionComponent<{ views: readonly ViewEntry[]; onClose: () => void }> = ({
  views,
  onClose,
}) => (
  <Dialog class="help" label="Keys" onClose={onClose}>
    <h2>Keyboard</h2>
    <dl>
      {shortcutsOf(views).map(([keys, what]) => [
        <dt key={keys}>
          <kbd>{keys}</kbd>
        </dt>,
        <dd key={what}>{what}</dd>,
      ])}
    </dl>
    <button type="button" class="plain" onClick={onClose}>
      Close
    </button>
  </Dialog>
);
