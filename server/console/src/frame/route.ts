import { useEffect, useState } from 'preact/hooks';

/** The address as the page reads it: a view, the item that is open in it, and the part of the item. */
export interface Route {
  readonly view: string;
  readonly item: string | undefined;
  readonly part: string | undefined;
  readonly query: URLSearchParams;
}

/** The view that has a page of its own, since only that page may connect to other hosts. */
export const PROBE = 'probe';

/** The address of a view; it works from both pages. */
export function addressOf(view: string, item?: string, part?: string): string {
  if (view === PROBE) return PROBE;
  const rest =
    item === undefined ? '' : `/${encodeURIComponent(item)}${part === undefined ? '' : `/${part}`}`;
  return `./#/${view}${rest}`;
}

/** @param home the view without which an address is complete */
export function useRoute(home: string): Route {
  const [route, setRoute] = useState(() => readRoute(home));
  useEffect(() => {
    const isComplete = location.hash !== '' || location.pathname.endsWith(`/${PROBE}`);
    if (!isComplete) history.replaceState(null, '', `#/${home}`);
    const read = () => setRoute(readRoute(home));
    addEventListener('hashchange', read);
    return () => removeEventListener('hashchange', read);
  }, [home]);
  return route;
}

/** Keeps what a view shows in its address, so that it can be sent to others; the way back does not lead through it. */
export function replaceQuery(query: Readonly<Record<string, string>>): void {
  const [path = ''] = location.hash.split('?', 1);
  const text = String(new URLSearchParams(query));
  history.replaceState(null, '', `${path}${text && `?${text}`}`);
}

function readRoute(home: string): Route {
  const [path = '', query = ''] = location.hash.split('?', 2);
  const search = new URLSearchParams(query);
  if (location.pathname.endsWith(`/${PROBE}`))
    return { view: PROBE, item: undefined, part: undefined, query: search };
  const [, view = '', item, part] = path.split('/');
  return { view: view || home, item: item === undefined ? undefined : decode(item), part, query: search };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
