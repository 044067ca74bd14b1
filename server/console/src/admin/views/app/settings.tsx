import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { useOutcome } from '../../../data/use-outcome.ts';
import { OutcomeLine } from '../../../parts/outcome-line.tsx';
import { admin } from '../../data/admin-api.ts';
import type { AppView } from '../../data/wire.ts';
import { DeletePanel } from './delete.tsx';
import type { PartProps } from './part.ts';

const SWITCHES = {
  enabled: 'Enabled: without it, connections are closed and requests refused',
  clientEvents: 'Clients may send client events',
  subscriptionCount: 'Subscribers get the number of subscriptions',
  requireTLS: 'Connections need TLS',
  requireUserAuthentication: 'Connections must sign in or subscribe by a signature',
  explainRefusals: 'Clients get the text that should have been signed',
} as const;
type Switch = keyof typeof SWITCHES;

/** The settings of an app, each limit too, and its end. */
export const SettingsPart: FunctionComponent<PartProps> = ({ app, writable, onChanged }) => {
  const { outcome, run } = useOutcome(onChanged);
  // What the user saw is what they change: a change by somebody else meanwhile is not overwritten.
  const [seen, setSeen] = useState(app);
  const save = (patch: object) =>
    run(
      admin.changeApp(app.id, patch, seen.etag).then((changed) => {
        setSeen(changed);
        return 'Saved.';
      }),
    );
  return (
    <>
      {app.etag !== seen.etag && (
        <p class="notice">
          The app was changed meanwhile.{' '}
          <button type="button" class="bare" onClick={() => setSeen(app)}>
            Show it as it is now
          </button>
        </p>
      )}
      <fieldset key={seen.etag} class="bare" disabled={!writable}>
        <General app={seen} onSave={save} />
        <Limits app={seen} onSave={save} />
      </fieldset>
      <OutcomeLine outcome={outcome} />
      <AllSettings app={app} />
      {writable && <DeletePanel app={app} />}
    </>
  );
};

interface FormProps {
  readonly app: AppView;
  readonly onSave: (patch: object) => void;
}

const General: FunctionComponent<FormProps> = ({ app, onSave }) => {
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const switches = (Object.keys(SWITCHES) as Switch[]).map((name) => [name, form.has(name)]);
    const origins = String(form.get('origins')).split(/\s+/).filter(Boolean);
    onSave({
      name: String(form.get('name')).trim() || null,
      allowedOrigins: origins.length > 0 ? origins : null,
      ...Object.fromEntries(switches),
    });
  };
  return (
    <section class="panel">
      <h3>General</h3>
      <form class="publish" onSubmit={submit}>
        <label>
          Name
          <input name="name" maxLength={200} defaultValue={app.name} />
        </label>
        <label>
          Origins whose pages may connect, or *
          <input name="origins" defaultValue={app.allowedOrigins.join(' ')} spellcheck={false} />
        </label>
        <div class="wide checks">
          {(Object.keys(SWITCHES) as Switch[]).map((name) => (
            <label key={name} class="check">
              <input type="checkbox" name={name} defaultChecked={app[name]} />
              {SWITCHES[name]}
            </label>
          ))}
        </div>
        <p class="actions wide">
          <button type="submit">Save</button>
        </p>
      </form>
    </section>
  );
};

const Limits: FunctionComponent<FormProps> = ({ app: { limits }, onSave }) => {
  const names = Object.keys(limits) as (keyof typeof limits)[];
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = (name: string) => String(form.get(name)).trim();
    const changed = names.filter((name) => given(name) !== String(limits[name] ?? ''));
    onSave({
      limits: Object.fromEntries(
        changed.map((name) => [name, given(name) === '' ? null : Number(given(name))]),
      ),
    });
  };
  return (
    <section class="panel">
      <h3>Limits</h3>
      <p class="note">An empty field means the default, which for some is no limit.</p>
      <form class="filters" onSubmit={submit}>
        {names.map((name) => (
          <label key={name}>
            {name}
            <input
              name={name}
              type="number"
              min="1"
              step="1"
              defaultValue={limits[name] ?? ''}
              placeholder="default"
            />
          </label>
        ))}
        <p class="actions">
          <button type="submit">Save the limits</button>
        </p>
      </form>
    </section>
  );
};

const AllSettings: FunctionComponent<{ app: AppView }> = ({ app }) => {
  const { keys: _keys, webhooks: _webhooks, etag: _etag, ...settings } = app;
  return (
    <section class="panel">
      <details>
        <summary>All settings as JSON</summary>
        <p class="note">
          Those that have no field here are changed by{' '}
          <code>countersign apps set {app.id} SETTING=VALUE</code> or PATCH of the admin API.
        </p>
        <pre>{JSON.stringify(settings, null, 2)}</pre>
      </details>
    </section>
  );
};
