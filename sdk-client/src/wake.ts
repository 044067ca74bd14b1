/** A moment at which the network may have changed unseen: back online, gone offline, shown again, thawed. */
export function onWake(callback: () => void): () => void {
  const page = globalThis.document;
  const whenVisible = (): void => {
    if (page.visibilityState === 'visible') callback();
  };
  const bound: [target: EventTarget | undefined, event: string, listener: () => void][] = [
    [globalThis, 'online', callback],
    [globalThis, 'offline', callback],
    [globalThis, 'pageshow', callback],
    [page, 'visibilitychange', whenVisible],
    [page, 'resume', callback],
  ];
  // Node and some workers have neither a document nor events of their own.
  const controller = new AbortController();
  for (const [target, event, listener] of bound) target?.addEventListener?.(event, listener, controller);
  return () => controller.abort();
}
