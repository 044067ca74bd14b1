import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { listenToShortcuts } from './shortcuts.ts';
import { chooseTheme, nextTheme, readTheme } from './theme.ts';
import type { ViewEntry } from './views.ts';

type Window = 'none' | 'palette' | 'help';

/** What opens over each view, by keys too, and the colours. */
export function useWindows(views: readonly ViewEntry[]) {
  const [open, setOpen] = useState<Window>('none');
  const [theme, setTheme] = useState(readTheme);
  useEffect(() => chooseTheme(theme), [theme]);
  const openPalette = () => setOpen('palette');
  const openHelp = () => setOpen('help');
  // Before the page is painted: who sees it can use the keys.
  useLayoutEffect(() => listenToShortcuts({ views, openPalette, openHelp }), [views]);
  return {
    open,
    openPalette,
    openHelp,
    close: () => setOpen('none'),
    theme,
    turnTheme: () => setTheme(nextTheme),
  };
}
