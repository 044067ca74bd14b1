import { addressOf } from './route.ts';
import type { ViewEntry } from './views.ts';

/** What a key of the keyboard opens. */
export interface ShortcutTargets {
  readonly views: readonly ViewEntry[];
  readonly openPalette: () => void;
  readonly openHelp: () => void;
}

/** Milliseconds for the letter after `g`. */
const SEQUENCE_MS = 1500;

/** Listens to the keys of the console. @returns a function that stops it */
export function listenToShortcuts({ views, openPalette, openHelp }: ShortcutTargets): () => void {
  let goSince = Number.NEGATIVE_INFINITY;
  const press = (event: KeyboardEvent) => {
    if (event.defaultPrevented) return;
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      return openPalette();
    }
    if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
    const isGoing = event.timeStamp - goSince < SEQUENCE_MS;
    goSince = Number.NEGATIVE_INFINITY;
    const aim = isGoing ? views.find(({ letter }) => letter === event.key) : undefined;
    if (aim) {
      event.preventDefault();
      location.assign(addressOf(aim.view));
    } else if (event.key === 'g') {
      goSince = event.timeStamp;
    } else if (event.key === '?') {
      openHelp();
    } else if (event.key === '/') {
      const field = document.querySelector<HTMLInputElement>('main input[type=search]');
      if (!field) return;
      event.preventDefault();
      field.focus();
    } else if (event.key === ' ' && event.target === document.body) {
      const pause = document.querySelector<HTMLButtonElement>('[data-pause]');
      if (!pause) return;
      event.preventDefault();
      pause.click();
    }
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}

/** The keys, for the page that explains them. */
export const shortcutsOf = (
  views: readonly ViewEntry[],
): readonly (readonly [keys: string, what: string])[] => [
  ['⌘K or Ctrl K', 'Find a view or what is in one'],
  ...views.map(({ letter, title }) => [`g ${letter}`, `Open ${title}`] as const),
  ['/', 'Go to the filter of the view'],
  ['Space', 'Pause the events, or go on'],
  ['?', 'Show these keys'],
];

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, dialog') !== null;
}
