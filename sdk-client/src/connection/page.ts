/** Events of a page that concern its connection. */
const EVENTS = ['online', 'offline', 'pageshow', 'pagehide', 'visibilitychange', 'resume'];

/**
 * Watches the page's events. @returns a function that stops watching
 *
 * @param woke called when the network may have changed: online, offline, shown or resumed
 * @param left called when the user leaves the page. The browser may keep the page, but not its connection
 */
export function watchPage(woke: () => void, left: () => void): () => void {
  const heard = ({ type }: Event): void => {
    if (type === 'pagehide') left();
    else if (type !== 'visibilitychange' || globalThis.document.visibilityState === 'visible') woke();
  };
  // Node and some workers have no such events. Those of the document bubble to the window.
  const each = (act: 'addEventListener' | 'removeEventListener'): void => {
    for (const event of EVENTS) globalThis[act]?.(event, heard);
  };
  each('addEventListener');
  return () => each('removeEventListener');
}
