/** A hook for the signed-in user. */
import { useMemo, useSyncExternalStore } from 'react';
import type { UserData } from '../auth/user.ts';
import type { Store } from '../channels/followed-channel.ts';
import type { Countersign } from '../client.ts';
import type { CountersignError } from '../errors.ts';
import { useCountersign } from './provider.ts';

/** The signed-in user. The object changes when its content changes, and only then. */
export interface SignedInUser {
  /** The data that the app signed; null while the connection is not signed in. */
  readonly user: UserData | null;
  /** Why the last sign-in failed; null when none has failed since the last success. */
  readonly error: CountersignError | null;
}

const NOBODY: SignedInUser = { user: null, error: null };

/**
 * Returns the signed-in user, and renders again when that changes. The app signs in by `client.signin()`.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Greeting() {
 *   const { user, error } = useUser();
 *   if (error) return <p>You are not signed in: {error.message}</p>;
 *   return <p>{user ? `Hello ${user.id}` : 'Signing in'}</p>;
 * }
 * ```
 */
export function useUser(): SignedInUser {
  const client = useCountersign();
  const store = useMemo(() => userStore(client), [client]);
  return useSyncExternalStore(store.subscribe, store.snapshot, nobody);
}

function userStore(client: Countersign | null): Store<SignedInUser> {
  let current = NOBODY;
  return {
    snapshot: () => current,
    subscribe(onChange) {
      if (!client) return () => {};
      const update = (): void => {
        const { user_data: user = null, error = null } = client.user;
        if (user === current.user && error === current.error) return;
        current = { user, error };
        onChange();
      };
      const ends = [
        // Quietly: the client still warns of a sign-in that fails, because a component may show nothing of it.
        client.user.onAny((event) => {
          if (event.startsWith('pusher:signin_')) update();
        }),
        client.connection.on('state_change', update),
      ];
      update();
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

function nobody(): SignedInUser {
  return NOBODY;
}
