import { useCallback, useEffect, useState } from 'preact/hooks';
import { admin } from './admin/data/admin-api.ts';
import type { Me } from './admin/data/wire.ts';
import { AdminShell } from './admin/shell.tsx';
import { ApiFailure, api } from './data/api.ts';
import { Live } from './data/live.ts';
import { LiveContext } from './data/live-context.ts';
import type { SessionView } from './data/wire.ts';
import { Shell } from './frame/shell.tsx';
import { SignIn } from './views/sign-in.tsx';

type State =
  | { readonly kind: 'asking' }
  | { readonly kind: 'signedOut'; readonly why?: string; readonly hasAdmin: boolean }
  | { readonly kind: 'signedIn'; readonly session: SessionView; readonly live: Live }
  | { readonly kind: 'administering'; readonly me: Me };

const ENDED = 'Your session has ended. Sign in again.';

/** The whole page: the sign-in, the app of a user who has signed in, or all apps of an administrator. */
export function Console() {
  const [state, setState] = useState<State>({ kind: 'asking' });

  const enter = useCallback((session: SessionView) => {
    const live: Live = new Live(session, () => {
      live.close();
      void leave(ENDED);
    });
    setState({ kind: 'signedIn', session, live });
  }, []);
  const administer = useCallback((me: Me) => setState({ kind: 'administering', me }), []);
  /** Goes on as an administrator, if the user is one, or to the sign-in. */
  const leave = useCallback(async (why?: string) => {
    try {
      const me = await admin.session();
      if (me) administer(me);
      else setState({ kind: 'signedOut', hasAdmin: false, ...(why !== undefined && { why }) });
    } catch (error) {
      const reason = isSignedOut(error) ? why : String(error);
      setState({ kind: 'signedOut', hasAdmin: true, ...(reason !== undefined && { why: reason }) });
    }
  }, []);
  const endAdministration = useCallback(() => void leave(ENDED), []);

  useEffect(() => {
    api.session().then(enter, (error: unknown) => leave(isSignedOut(error) ? undefined : String(error)));
  }, []);

  switch (state.kind) {
    case 'asking':
      return null;
    case 'signedOut':
      return <SignIn why={state.why} hasAdmin={state.hasAdmin} onEnter={enter} onAdmin={administer} />;
    case 'administering': {
      const left = () => {
        // Whoever comes next may not be allowed to see what was open.
        history.replaceState(null, '', location.pathname);
        return leave();
      };
      return (
        <AdminShell
          me={state.me}
          onEnd={endAdministration}
          onSignOut={() => admin.signOut().then(left, left)}
        />
      );
    }
    case 'signedIn': {
      const { live, session } = state;
      const signOut = () => {
        live.close();
        const left = () => leave();
        api.signOut().then(left, left);
      };
      return (
        <LiveContext.Provider value={live}>
          <Shell session={session} onSignOut={signOut} />
        </LiveContext.Provider>
      );
    }
  }
}

function isSignedOut(error: unknown): boolean {
  return error instanceof ApiFailure && error.status === 401;
}
