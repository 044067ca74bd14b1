import type { FunctionComponent } from 'preact';

/**
 * The way through an answer that has several pages.
 *
 * @param cursor of the page that is shown; empty on the first one
 * @param next of the page after it, if there is one
 */
export const Paging: FunctionComponent<{
  cursor: string;
  next: string | undefined;
  onCursor: (cursor: string) => void;
}> = ({ cursor, next, onCursor }) =>
  (cursor !== '' || next !== undefined) && (
    <p class="actions">
      {cursor !== '' && (
        <button type="button" class="plain" onClick={() => onCursor('')}>
          First page
        </button>
      )}
      {next !== undefined && (
        <button type="button" class="plain" onClick={() => onCursor(next)}>
          Next page
        </button>
      )}
    </p>
  );
