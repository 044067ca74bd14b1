import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Live } from './live.ts';

export const LiveContext = createContext<Live | undefined>(undefined);

/** The live data; the component is drawn again at each change. */
export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error('The user has not signed in');
  const [, redraw] = useState({});
  useEffect(() => live.listen(() => redraw({})), [live]);
  return live;
}
