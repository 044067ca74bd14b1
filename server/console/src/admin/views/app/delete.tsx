import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { addressOf } from '../../../frame/route.ts';
import { Dialog } from '../../../parts/dialog.tsx';
import { count } from '../../../parts/format.ts';
import { Untrusted } from '../../../parts/untrusted.tsx';
import { admin } from '../../data/admin-api.ts';
import type { AppView, Deletion } from '../../data/wire.ts';

const ENDS: Readonly<Record<Exclude<keyof Deletion, 'dry_run'>, string>> = {
  connections: 'connections, closed with 4001',
  channels: 'occupied channels',
  keys: 'keys',
  webhooks: 'webhooks',
  deliveries_pending: 'deliveries of webhooks that wait',
  history_bytes: 'bytes of history',
};

/** Ends an app, after it was told what ends with it. */
export const DeletePanel: FunctionComponent<{ app: AppView }> = ({ app }) => {
  const [deletion, setDeletion] = useState<Deletion>();
  const [error, setError] = useState<string>();
  const look = () => {
    admin.whatDeletes(app.id).then(
      (found) => {
        setError(undefined);
        setDeletion(found);
      },
      (failure: unknown) => setError(failure instanceof Error ? failure.message : String(failure)),
    );
  };
  return (
    <section class="panel">
      <h3>Delete the app</h3>
      <p class="quiet">Usage and the audit log keep what they have; nothing else of the app is left.</p>
      <button type="button" class="danger" onClick={look}>
        Delete…
      </button>
      <p class="error" role="alert">
        {error !== undefined && <Untrusted text={error} />}
      </p>
      {deletion && <Deleting app={app} deletion={deletion} onClose={() => setDeletion(undefined)} />}
    </section>
  );
};

const Deleting: FunctionComponent<{ app: AppView; deletion: Deletion; onClose: () => void }> = ({
  app: { id, name = id },
  deletion,
  onClose,
}) => {
  const [error, setError] = useState<string>();
  const [typed, setTyped] = useState('');
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    admin.deleteApp(id).then(
      () => location.assign(addressOf('apps')),
      (failure: unknown) => setError(failure instanceof Error ? failure.message : String(failure)),
    );
  };
  return (
    <Dialog class="confirm" label={`Delete ${name}?`} onClose={onClose}>
      <h2>
        Delete <Untrusted text={name} />?
      </h2>
      <dl class="pairs">
        {Object.entries(ENDS).map(([field, title]) => [
          <dt key={field}>{count(deletion[field as keyof typeof ENDS])}</dt>,
          <dd key={title}>{title}</dd>,
        ])}
      </dl>
      <form onSubmit={submit}>
        <label>
          Type the id of the app, {id}
          <input
            value={typed}
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <p class="error" role="alert">
          {error !== undefined && <Untrusted text={error} />}
        </p>
        <p class="actions">
          <button type="submit" class="danger" disabled={typed !== id}>
            Delete the app
          </button>
          <button type="button" class="plain" onClick={onClose}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  );
};
