import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { admin } from '../admin/data/admin-api.ts';
import type { Me, WaysIn } from '../admin/data/wire.ts';
import { api } from '../data/api.ts';
import type { SessionView } from '../data/wire.ts';
import { unmarkTab } from '../frame/tab-mark.ts';
import { Mark } from '../parts/icon.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const DOORS = { app: 'App key', admin: 'Administrator' } as const;
type Door = keyof typeof DOORS;

/** How the user of this browser came in last. */
const DOOR_KEY = 'countersign-door';
/** Begins every token that the broker makes. */
const TOKEN = 'csa_';

interface SignInProps {
  readonly why: string | undefined;
  /** How one can sign in as an administrator. */
  readonly ways: WaysIn;
  readonly onEnter: (session: SessionView) => void;
  readonly onAdmin: (me: Me) => void;
}

/** The form that asks for the key and secret of an app, or for an admin token, or leads to the identity provider. */
export const SignIn: FunctionComponent<SignInProps> = ({ why, ways, onEnter, onAdmin }) => {
  const hasAdmin = ways.token || ways.provider !== undefined;
  const [error, setError] = useState(why);
  useEffect(unmarkTab, []);
  const [busy, setBusy] = useState(false);
  const [chosen, setDoor] = useState<Door>(localStorage.getItem(DOOR_KEY) === 'admin' ? 'admin' : 'app');
  const [token, setToken] = useState('');
  const door = hasAdmin ? chosen : 'app';
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name)).trim();
    setBusy(true);
    const entered =
      door === 'admin'
        ? admin.signIn(text('token')).then(onAdmin)
        : api.signIn({ key: text('key'), secret: text('secret') }).then(onEnter);
    entered.then(
      () => localStorage.setItem(DOOR_KEY, door),
      (failure: unknown) => {
        setBusy(false);
        setError(failure instanceof Error ? failure.message : String(failure));
      },
    );
  };
  /** A token is known by its beginning, and does not stay where everybody can read it. */
  const moveToken = (text: string) => {
    if (!ways.token || !text.trim().startsWith(TOKEN)) return;
    setToken(text.trim());
    setDoor('admin');
  };
  return (
    <main class="door">
      <form class="panel" onSubmit={submit}>
        <h1>
          <span class="door-mark">
            <Mark />
          </span>
          Countersign
        </h1>
        {hasAdmin && (
          <fieldset class="chips">
            <legend class="unseen">Sign in with</legend>
            {(Object.keys(DOORS) as Door[]).map((each) => (
              <button
                key={each}
                type="button"
                class="plain"
                aria-pressed={each === door}
                onClick={() => setDoor(each)}
              >
                {DOORS[each]}
              </button>
            ))}
          </fieldset>
        )}
        {door === 'admin' ? (
          <>
            <p class="quiet">Sign in to run apps, keys, webhooks and nodes.</p>
            {ways.provider !== undefined && (
              <a class="button" href="sign-in/">
                Sign in with {ways.provider}
              </a>
            )}
            {ways.token && (
              <label>
                Token
                <input
                  key="token"
                  name="token"
                  type="password"
                  required
                  autocomplete="current-password"
                  value={token}
                  onInput={(event) => setToken(event.currentTarget.value)}
                />
              </label>
            )}
          </>
        ) : (
          <>
            <p class="quiet">Sign in with a key of your app and its secret to watch the app live.</p>
            <label>
              Key
              <input
                key="key"
                name="key"
                required
                autocomplete="username"
                spellcheck={false}
                onInput={(event) => moveToken(event.currentTarget.value)}
              />
            </label>
            <label>
              Secret
              <input key="secret" name="secret" type="password" required autocomplete="current-password" />
            </label>
          </>
        )}
        {(door === 'app' || ways.token) && (
          <button type="submit" disabled={busy}>
            Sign in
          </button>
        )}
        <p class="error" role="alert">
          {error !== undefined && <Untrusted text={error} />}
        </p>
      </form>
    </main>
  );
};
