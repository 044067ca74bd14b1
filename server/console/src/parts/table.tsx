import type { ComponentChildren, FunctionComponent } from 'preact';

/** The head of a column: its title, that of numbers, or that of buttons, which speak for themselves. */
export type Column = string | { readonly number: string } | typeof ACTIONS;

export const ACTIONS = Symbol('Actions');

/**
 * A table with a name for those who cannot see it. On a phone it scrolls sideways, by the keyboard too.
 *
 * @param children its rows
 */
export const Table: FunctionComponent<{
  name: string;
  columns: readonly Column[];
  class?: string;
  children: ComponentChildren;
}> = ({ name, columns, class: kind, children }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
  <table class={kind} tabIndex={0}>
    <caption class="unseen">{name}</caption>
    <thead>
      <tr>{columns.map(headOf)}</tr>
    </thead>
    <tbody>{children}</tbody>
  </table>
);

function headOf(column: Column): ComponentChildren {
  if (column === ACTIONS) {
    return (
      <th key="actions" scope="col">
        <span class="unseen">Actions</span>
      </th>
    );
  }
  const title = typeof column === 'string' ? column : column.number;
  return (
    <th key={title} scope="col" class={typeof column === 'string' ? undefined : 'number'}>
      {title}
    </th>
  );
}
