import { useEffect, useState } from 'preact/hooks';

/** The address as the page reads it: a view, and the item that is open in it. */
export interface Route {
  readonly view: string;
  readonly item: string | undefined;
  readonly query: URLSearchParams;
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

/** Keeps what a view shows in its address, so that it can be sent to others; the way back does not lead through it. */
export function replaceQuery(query: Readonly<Record<string, string>>): void {
  const [path = ''] = location.hash.split('?', 1);
  const text = String(new URLSearchParams(query));
  history.replaceState(null, '', `${path || '#/live'}${text && `?${text}`}`);
}

function readRoute(): Route {
  const [path = '', query = ''] = location.hash.split('?', 2);
  const search = new URLSearchParams(query);
  if (location.pathname.endsWith(`/${PROBE}`)) return { view: PROBE, item: undefined, query: search };
  const [, view = '', item] = path.split('/');
  return { view: view || 'live', item: item === undefined ? undefined : decode(item), query: search };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
