import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { snippetsOf } from '../../../../src/cli/dev/snippets.ts';
import { useAnswer } from '../../data/use-answer.ts';
import { addressOf } from '../../frame/route.ts';
import { Failure } from '../../parts/failure.tsx';
import { countOf } from '../../parts/format.ts';
import { Snippets } from '../../parts/snippets.tsx';
import { Untrusted } from '../../parts/untrusted.tsx';
import { admin } from '../data/admin-api.ts';
import type { NewKey } from '../data/wire.ts';
import { ShownOnce } from '../parts/shown-once.tsx';

const WAIT_MS = 1000;

interface Made {
  readonly id: string;
  readonly name: string;
  readonly key: NewKey;
}

/** Makes an app, and ends with what its application needs. */
export const NewAppView: FunctionComponent = () => {
  const [made, setMade] = useState<Made>();
  return made ? <Connect {...made} /> : <Form onMade={setMade} />;
};

const Form: FunctionComponent<{ onMade: (made: Made) => void }> = ({ onMade }) => {
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const origins = text('origins').split(/\s+/).filter(Boolean);
    setBusy(true);
    admin
      .makeApp({
        ...(text('id') && { id: text('id') }),
        ...(text('name') && { name: text('name') }),
        ...(origins.length > 0 && { allowedOrigins: origins }),
        ...(text('connections') && { limits: { connections: Number(text('connections')) } }),
      })
      .then(
        ({ id, name = id, keys: [key] }) => key && onMade({ id, name, key }),
        (failure: unknown) => {
          setBusy(false);
          setError(failure instanceof Error ? failure.message : String(failure));
        },
      );
  };
  return (
    <>
      <h2>New app</h2>
      <section class="panel">
        <form class="publish" onSubmit={submit}>
          <label>
            Name
            <input name="name" required maxLength={200} placeholder="Shop" />
          </label>
          <label>
            Id (made for you if empty)
            <input
              name="id"
              pattern="[A-Za-z0-9_\-]{1,64}"
              title="1 to 64 of A-Z a-z 0-9 _ -"
              spellcheck={false}
            />
          </label>
          <label>
            Connections at one time
            <input name="connections" type="number" min="1" placeholder="50000" />
          </label>
          <label>
            Origins whose pages may connect
            <input name="origins" placeholder="any, or https://shop.example.com" spellcheck={false} />
          </label>
          <p class="note wide">Everything else has a default, and can be changed later.</p>
          <p class="actions wide">
            <button type="submit" disabled={busy}>
              Create the app
            </button>
            <a class="button plain" href={addressOf('apps')}>
              Cancel
            </a>
          </p>
          <p class="error wide" role="alert">
            {error !== undefined && <Untrusted text={error} />}
          </p>
        </form>
      </section>
    </>
  );
};

/** What the application needs, until its first client is there. */
const Connect: FunctionComponent<Made> = ({ id, name, key: { key, secret } }) => {
  const secure = location.protocol === 'https:';
  const port = Number(location.port) || (secure ? 443 : 80);
  const place = { appId: id, key, host: location.hostname, port, secure };
  return (
    <>
      <h2>
        <Untrusted text={name} />
      </h2>
      <section class="panel">
        <dl class="pairs">
          <dt>App id</dt>
          <dd>
            <code>{id}</code>
          </dd>
          <dt>Key</dt>
          <dd>
            <code>{key}</code>
          </dd>
        </dl>
        {secret !== undefined && <ShownOnce what="Secret, for your backend only." secret={secret} />}
      </section>
      <section class="panel steps" aria-label="First connection">
        <div>
          <FirstConnection id={id} />
          <p class="note">
            Backends read the secret from <code>COUNTERSIGN_SECRET</code>.
          </p>
        </div>
        <Snippets snippets={snippetsOf(place)} />
      </section>
    </>
  );
};

const FirstConnection: FunctionComponent<{ id: string }> = ({ id }) => {
  const question = useCallback(() => admin.stats(id), [id]);
  const { value, failure } = useAnswer(question, WAIT_MS);
  const [wasThere, setThere] = useState(false);
  const connections = value?.connections ?? 0;
  if (connections > 0 && !wasThere) setThere(true);
  return (
    <>
      <div role="status">
        <h3 class={wasThere ? 'first there' : 'first'}>
          {wasThere
            ? `Connected: ${countOf(connections, 'client')} now`
            : 'Waiting for your first connection…'}
        </h3>
      </div>
      <p class="quiet">
        {wasThere ? 'Everything works.' : 'Run one of these snippets. This page turns green by itself.'}{' '}
        <a href={addressOf('apps', id)}>Open the app</a>
      </p>
      <Failure failure={failure} />
    </>
  );
};
