import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import type { AdministrationType } from '../../../../src/audit/record.ts';
import { useAnswer } from '../../data/use-answer.ts';
import { addressOf } from '../../frame/route.ts';
import { Empty } from '../../parts/empty.tsx';
import { Failure } from '../../parts/failure.tsx';
import { countOf, momentOf } from '../../parts/format.ts';
import { Paging } from '../../parts/paging.tsx';
import { Table } from '../../parts/table.tsx';
import { Untrusted } from '../../parts/untrusted.tsx';
import { admin } from '../data/admin-api.ts';
import type { AuditEntry } from '../data/wire.ts';

const REFRESH_MS = 5000;
const PAGE = '50';

const TYPES: Readonly<Record<AdministrationType, string>> = {
  'app.created': 'app created',
  'app.updated': 'app updated',
  'app.deleted': 'app deleted',
  'key.created': 'key created',
  'key.updated': 'key updated',
  'key.deleted': 'key deleted',
  'webhook.created': 'webhook created',
  'webhook.updated': 'webhook updated',
  'webhook.deleted': 'webhook deleted',
  'webhook.secret_added': 'webhook secret added',
  'token.created': 'token created',
  'token.deleted': 'token deleted',
  'node.drained': 'node drained',
};

/** Who changed what; what is asked for is in the address. */
export const AuditView: FunctionComponent<{ query: URLSearchParams }> = ({ query }) => {
  const asked = String(query);
  const [cursor, setCursor] = useState('');
  const question = useCallback(() => {
    const { from = '', to = '', ...rest } = Object.fromEntries(new URLSearchParams(asked));
    return admin.audit({ ...rest, from: secondsOf(from), to: secondsOf(to), cursor, limit: PAGE });
  }, [asked, cursor]);
  const { value: page, failure } = useAnswer(question, REFRESH_MS);
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = [...new FormData(event.currentTarget)].filter(([, text]) => text !== '');
    const next = new URLSearchParams(given.map(([name, text]) => [name, String(text).trim()]));
    location.assign(`${addressOf('audit')}?${next}`);
  };
  return (
    <>
      <h2>Audit</h2>
      <section class={failure ? 'panel stale' : 'panel'} aria-label="Audit">
        <form class="filters" onSubmit={submit}>
          <Field name="app" title="App" query={query} />
          <Field name="actor" title="Token" query={query} />
          <label>
            What
            <select name="type">
              <option value="">everything</option>
              {Object.entries(TYPES).map(([type, words]) => (
                <option key={type} value={type} selected={type === query.get('type')}>
                  {words}
                </option>
              ))}
            </select>
          </label>
          <Field name="from" title="From" query={query} type="datetime-local" />
          <Field name="to" title="To" query={query} type="datetime-local" />
          <p class="actions">
            <button type="submit" class="plain">
              Search
            </button>
            {asked !== '' && <a href={addressOf('audit')}>Clear</a>}
          </p>
        </form>
        <Failure failure={failure} />
        {page?.events.length === 0 && (
          <Empty title={asked === '' ? 'Nothing was changed yet' : 'No change is found'}>
            {asked === ''
              ? 'Each change of an app, key, webhook or token is here, with the token that made it.'
              : 'Take a longer time, or fewer words.'}
          </Empty>
        )}
        {page && page.events.length > 0 && <Entries entries={page.events} />}
        <Paging cursor={cursor} next={page?.cursor} onCursor={setCursor} />
      </section>
    </>
  );
};

const Field: FunctionComponent<{ name: string; title: string; query: URLSearchParams; type?: string }> = ({
  name,
  title,
  query,
  type = 'search',
}) => (
  <label>
    {title}
    <input
      type={type}
      name={name}
      defaultValue={query.get(name) ?? ''}
      spellcheck={false}
      autocomplete="off"
    />
  </label>
);

const Entries: FunctionComponent<{ entries: readonly AuditEntry[] }> = ({ entries }) => (
  <Table name="Changes" class="log" columns={['Time', 'What', 'Token', 'App', 'Of', 'Change', 'Address']}>
    {entries.map(({ id, at, type, actor, app, target, changes = [], address }) => (
      <tr key={id}>
        <td>
          <time dateTime={new Date(at * 1000).toISOString()}>{momentOf(at * 1000)}</time>
        </td>
        <th scope="row">{TYPES[type as AdministrationType]}</th>
        <td>
          <Untrusted text={actor} />
        </td>
        <td>
          {app !== undefined && (
            <a href={addressOf('apps', app)}>
              <Untrusted text={app} />
            </a>
          )}
        </td>
        <td>{target !== undefined && <Untrusted text={target} />}</td>
        <td>
          {changes.length > 0 && (
            <details>
              <summary>{countOf(changes.length, 'field')}</summary>
              <dl class="changes">
                {changes.map(({ path, from, to }) => [
                  <dt key={path}>
                    <Untrusted text={path} />
                  </dt>,
                  <dd key={`${path} is`}>
                    <Value value={from} /> → <Value value={to} />
                  </dd>,
                ])}
              </dl>
            </details>
          )}
        </td>
        <td>
          <code>{address}</code>
        </td>
      </tr>
    ))}
  </Table>
);

const Value: FunctionComponent<{ value: unknown }> = ({ value }) => (
  <code>
    <Untrusted text={value === undefined ? 'nothing' : JSON.stringify(value)} />
  </code>
);

/** The Unix seconds of a local time; empty if it is none. */
function secondsOf(local: string): string {
  const ms = Date.parse(local);
  return Number.isNaN(ms) ? '' : String(Math.floor(ms / 1000));
}
