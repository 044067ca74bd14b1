/** What the tab of the browser tells without a look at the page: the app, the view, refusals that nobody has seen, old data. */

export interface TabState {
  readonly app: string;
  readonly view: string;
  readonly isStale: boolean;
  /** Refusals since the user last looked at them. */
  readonly refusals: number;
}

const COLOURS = { live: '#1a56c4', refused: '#b3261e', stale: '#7a8594' } as const;

let shown: keyof typeof COLOURS | undefined;

export function markTab({ app, view, isStale, refusals }: TabState): void {
  const count = refusals > 0 ? `(${refusals > 99 ? '99+' : refusals}) ` : '';
  const title = isStale ? `No data · ${app} – Countersign` : `${count}${view} · ${app} – Countersign`;
  if (document.title !== title) document.title = title;
  setIcon(isStale ? 'stale' : refusals > 0 ? 'refused' : 'live');
}

/** The mark of a tab that shows no app. */
export function unmarkTab(): void {
  document.title = 'Countersign console';
  setIcon('live');
}

function setIcon(kind: keyof typeof COLOURS): void {
  if (shown === kind) return;
  shown = kind;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${COLOURS[kind]}"/>${MARKS[kind]}</svg>`;
  const link = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  if (link) link.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

const STROKE = 'fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round"';
const MARKS: Readonly<Record<keyof typeof COLOURS, string>> = {
  live: `<path d="M9 17l5 5 9-12" ${STROKE}/>`,
  refused: `<path d="M16 8v10M16 24v.1" ${STROKE}/>`,
  stale: `<path d="M10 16h12" ${STROKE}/>`,
};
