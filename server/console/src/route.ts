import { useEffect, useState } from 'preact/hooks';

/** What the address says is to be shown: a view, and the one thing in it that is open. */
export interface Route {
  readonly view: string;
  readonly item: string | undefined;
}

/** The view that has a page of its own, since it alone may connect to other hosts. */
export const PROBE = 'probe';

/** The address of a view, the same from both pages. */
export function addressOf(view: string, item?: string): string {
  if (view === PROBE) return PROBE;
  return `./#/${view}${item === undefined ? '' : `/${encodeURIComponent(item)}`}`;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const read = () => setRoute(readRoute());
    addEventListener('hashchange', read);
    return () => removeEventListener('hashchange', read);
  }, []);
  return route;
}

function readRoute(): Route {
  if (location.pathname.endsWith(`/${PROBE}`)) return { view: PROBE, item: undefined };
  const [, view = '', item] = location.hash.split('/');
  return { view: view || 'live', item: item === undefined ? undefined : decode(item) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
