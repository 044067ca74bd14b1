import { useEffect, useState } from 'preact/hooks';

/** The address as the page reads it: a view, and the item that is open in it. */
export interface Route {
  readonly view: string;
  readonly item: string | undefined;
}

/** The view that has a page of its own, since only that page may connect to other hosts. */
export const PROBE = 'probe';

/** The address of a view; it works from both pages. */
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
