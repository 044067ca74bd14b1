/** What a page can tell about its connection. */
const EVENTS = ['online', 'offline', 'pageshow', 'pagehide', 'visibilitychange', 'resume'];

/**
 * Listens until the answer is called.
 *
 * @param woke the network may have changed unseen: back online, gone offline, shown again, thawed
 * @param left the user has left it. It may be kept and shown again, and its connection must not be kept with it
 */
export function watchPage(woke: () => void, left: () => void): () => void {
  const heard = ({ type }: Event): void => {
    if (type === 'pagehide') left();
    else if (type !== 'visibilitychange' || globalThis.document.visibilityState === 'visible') woke();
  };
  // Node and some workers have no events of their own. Those of the document come up to the window.
  const each = (act: 'addEventListener' | 'removeEventListener'): void => {
    for (const event of EVENTS) globalThis[act]?.(event, heard);
  };
  each('addEventListener');
  return () => each('removeEventListener');
}
