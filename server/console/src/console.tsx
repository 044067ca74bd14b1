import { useCallback, useEffect, useState } from 'preact/hooks';
import { admin } from './admin/data/admin-api.ts';
import type { Me, WaysIn } from './admin/data/wire.ts';
import { AdminShell } from './admin/shell.tsx';
import { ApiFailure, api } from './data/api.ts';
import { Live } from './data/live.ts';
import { LiveContext } from './data/live-context.ts';
import type { SessionView } from './data/wire.ts';
import { Shell } from './frame/shell.tsx';
import { SignIn } from './views/sign-in.tsx';

type State =
  | { readonly kind: 'asking' }
  | { readonly kind: 'signedOut'; readonly why?: string; readonly ways: WaysIn }
  | { readonly kind: 'signedIn'; readonly session: SessionView; readonly live: Live }
  | { readonly kind: 'administering'; readonly me: Me };

/** What the broker says by a code in the address, when a sign-in with an identity provider fails. */
const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['console_sign_in_required', 'The sign-in took too long, or began in another browser. Try again.'],
  ['identity_refused', 'The identity provider did not confirm who you are. The log of the broker says why.'],
  ['role_missing', 'You have no role here: none of your values of the claim roleClaim is in roles.'],
  ['too_many_requests', 'There were too many sign-ins. Wait a minute.'],
  ['unavailable', 'The identity provider does not answer. The log of the broker says why.'],
]);

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
      else setState({ kind: 'signedOut', ways: { token: false }, ...(why !== undefined && { why }) });
    } catch (error) {
      const reason = isSignedOut(error) ? why : String(error);
      const ways = await admin.waysIn().catch(() => ({ token: true }));
      setState({ kind: 'signedOut', ways, ...(reason !== undefined && { why: reason }) });
    }
  }, []);
  const endAdministration = useCallback(() => void leave(ENDED), []);

  useEffect(() => {
    api.session().then(enter, (error: unknown) => leave(isSignedOut(error) ? takeRefusal() : String(error)));
  }, []);

  switch (state.kind) {
    case 'asking':
      return null;
    case 'signedOut':
      return <SignIn why={state.why} ways={state.ways} onEnter={enter} onAdmin={administer} />;
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

/** Why the broker let nobody in, once: a reload says it no more. */
function takeRefusal(): string | undefined {
  const code = new URLSearchParams(location.search).get('refused');
  if (code === null) return undefined;
  history.replaceState(null, '', location.pathname);
  return REFUSALS.get(code) ?? 'The sign-in failed. The log of the broker says why.';
}

function isSignedOut(error: unknown): boolean {
  return error instanceof ApiFailure && error.status === 401;
}
