import type { FunctionComponent } from 'preact';
import { momentOf } from './format.ts';
import { Icon } from './icon.tsx';

/** The first cell of a row that opens: the button, and when it was. */
export const OpeningCell: FunctionComponent<{
  /** Unix milliseconds. */
  at: number;
  /** What the row opens to. */
  label: string;
  isOpen: boolean;
  onToggle: () => void;
}> = ({ at, label, isOpen, onToggle }) => (
  <td class="log">
    <button type="button" class="bare toggle" aria-expanded={isOpen} aria-label={label} onClick={onToggle}>
      <Icon name="more" />
    </button>{' '}
    <time dateTime={new Date(at).toISOString()}>{momentOf(at)}</time>
  </td>
);
