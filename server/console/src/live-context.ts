import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Live } from './live.ts';

export const LiveContext = createContext<Live | undefined>(undefined);

/** What happens right now; whoever asks is drawn again at each change. */
export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error('Nobody has signed in');
  const [, redraw] = useState({});
  useEffect(() => live.listen(() => redraw({})), [live]);
  return live;
}
