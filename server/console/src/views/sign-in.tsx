import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import type { SessionView } from '../data/wire.ts';
import { unmarkTab } from '../frame/tab-mark.ts';
import { Mark } from '../parts/icon.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

/** The form that asks for the key and secret of an app. */
export const SignIn: FunctionComponent<{
  why: string | undefined;
  onEnter: (session: SessionView) => void;
}> = ({ why, onEnter }) => {
  const [error, setError] = useState(why);
  useEffect(unmarkTab, []);
  const [busy, setBusy] = useState(false);
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    api
      .signIn({ key: String(form.get('key')).trim(), secret: String(form.get('secret')).trim() })
      .then(onEnter, (failure: unknown) => {
        setBusy(false);
        setError(failure instanceof Error ? failure.message : String(failure));
      });
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
        <p class="quiet">Sign in with a key of your app and its secret to watch the app live.</p>
        <label>
          Key
          <input name="key" required autocomplete="username" spellcheck={false} />
        </label>
        <label>
          Secret
          <input name="secret" type="password" required autocomplete="current-password" />
        </label>
        <button type="submit" disabled={busy}>
          Sign in
        </button>
        <p class="error" role="alert">
          {error !== undefined && <Untrusted text={error} />}
        </p>
      </form>
    </main>
  );
};
