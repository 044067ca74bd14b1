import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiFailure, api } from './data/api.ts';
import { Live } from './data/live.ts';
import { LiveContext } from './data/live-context.ts';
import type { SessionView } from './data/wire.ts';
import { Shell } from './frame/shell.tsx';
import { SignIn } from './views/sign-in.tsx';

type State =
  | { readonly kind: 'asking' }
  | { readonly kind: 'signedOut'; readonly why?: string }
  | { readonly kind: 'signedIn'; readonly session: SessionView; readonly live: Live };

/** The whole page: the sign-in, or the app of a user who has signed in. */
export function Console() {
  const [state, setState] = useState<State>({ kind: 'asking' });

  const enter = useCallback((session: SessionView) => {
    const live: Live = new Live(session, () => {
      live.close();
      setState({ kind: 'signedOut', why: 'Your session has ended. Sign in again.' });
    });
    setState({ kind: 'signedIn', session, live });
  }, []);

  useEffect(() => {
    api.session().then(enter, (error: unknown) => {
      const isOrdinary = error instanceof ApiFailure && error.status === 401;
      setState({ kind: 'signedOut', ...(!isOrdinary && { why: String(error) }) });
    });
  }, [enter]);

  switch (state.kind) {
    case 'asking':
      return null;
    case 'signedOut':
      return <SignIn why={state.why} onEnter={enter} />;
    case 'signedIn': {
      const { live, session } = state;
      const leave = () => {
        live.close();
        const left = () => setState({ kind: 'signedOut' });
        api.signOut().then(left, left);
      };
      return (
        <LiveContext.Provider value={live}>
          <Shell session={session} onSignOut={leave} />
        </LiveContext.Provider>
      );
    }
  }
}
