/** What a page can tell about its connection. */
export interface Page {
  /** The network may have changed unseen: back online, gone offline, shown again, thawed. */
  woke(): void;
  /** The user has left it. It may be kept and shown again, and its connection must not be kept with it. */
  left(): void;
}

/** Listens until the answer is called. */
export function watchPage({ woke, left }: Page): () => void {
  const controller = new AbortController();
  const heard = ({ type }: Event): void => {
    if (type === 'pagehide') left();
    else if (type !== 'visibilitychange' || globalThis.document.visibilityState === 'visible') woke();
  };
  // Node and some workers have neither a document nor events of their own.
  const listen = (target: EventTarget | undefined, ...events: readonly string[]): void => {
    for (const event of events) target?.addEventListener?.(event, heard, controller);
  };
  listen(globalThis, 'online', 'offline', 'pageshow', 'pagehide');
  listen(globalThis.document, 'visibilitychange', 'resume');
  return () => controller.abort();
}
