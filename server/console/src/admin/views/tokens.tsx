import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { useAnswer } from '../../data/use-answer.ts';
import { useOutcome } from '../../data/use-outcome.ts';
import { Confirm, type Question } from '../../parts/confirm.tsx';
import { Failure } from '../../parts/failure.tsx';
import { age, momentOf } from '../../parts/format.ts';
import { OutcomeLine } from '../../parts/outcome-line.tsx';
import { Paging } from '../../parts/paging.tsx';
import { ACTIONS, Table } from '../../parts/table.tsx';
import { Untrusted } from '../../parts/untrusted.tsx';
import { admin } from '../data/admin-api.ts';
import { useRights } from '../data/rights.ts';
import type { AdminRole, NewToken, TokenView } from '../data/wire.ts';
import { ShownOnce } from '../parts/shown-once.tsx';

const REFRESH_MS = 5000;
const MAY: Readonly<Record<AdminRole, string>> = {
  owner: 'everything',
  operator: 'apps, keys, webhooks, drain; no tokens',
  viewer: 'look at everything but tokens',
  billing: 'usage only',
};
const MANAGED: Readonly<Record<TokenView['managed_by'], string>> = {
  env: 'environment',
  file: 'file',
  api: 'here',
};

/** The admin tokens: made, shown once, ended. */
export const TokensView: FunctionComponent = () => {
  const { me } = useRights();
  const [cursor, setCursor] = useState('');
  const question = useCallback(() => admin.tokens({ cursor }), [cursor]);
  const { value: page, failure, ask } = useAnswer(question, REFRESH_MS);
  const { outcome, run } = useOutcome(ask);
  const [made, setMade] = useState<NewToken>();
  const [asked, setAsked] = useState<Question>();
  const make = (body: object) =>
    run(
      admin.makeToken(body).then((token) => {
        setMade(token);
        return `Made ${token.name}.`;
      }),
    );
  const end = ({ name }: TokenView) =>
    setAsked({
      title: `End ${name}?`,
      text: `Whoever uses it is refused from now on${name === me.name ? ', you too' : ''}, and its sessions here end.`,
      verb: 'End the token',
      run: () => run(admin.deleteToken(name).then(() => `Ended ${name}.`)),
    });
  return (
    <>
      <h2>Tokens</h2>
      {me.has_store ? (
        <NewTokenForm onMake={make} />
      ) : (
        <p class="notice">
          The broker has no app store, so no token can be made here: set <code>data</code> or{' '}
          <code>redis</code> in its configuration.
        </p>
      )}
      <OutcomeLine outcome={outcome} />
      {made && <ShownOnce key={made.token} what={`Token ${made.name}.`} secret={made.token} />}
      <Failure failure={failure} />
      {page && (
        <section class={failure ? 'panel stale' : 'panel'} aria-label="Tokens">
          <Table
            name="Tokens"
            class="named"
            columns={['Name', 'Role', 'Apps', 'Managed', 'Last used', 'Ends', ACTIONS]}
          >
            {page.tokens.map((token) => (
              <tr key={token.name}>
                <th scope="row">
                  <Untrusted text={token.name} />
                </th>
                <td title={MAY[token.role]}>{token.role}</td>
                <td>{token.apps ? <Untrusted text={token.apps.join(', ')} /> : 'all'}</td>
                <td>{MANAGED[token.managed_by]}</td>
                <td>
                  {token.last_used_at === null
                    ? 'never'
                    : `${age(Date.now() - token.last_used_at * 1000)} ago`}
                </td>
                <td>{token.expires_at === null ? 'never' : momentOf(token.expires_at * 1000)}</td>
                <td class="actions">
                  {token.managed_by === 'api' && (
                    <button type="button" class="danger" onClick={() => end(token)}>
                      End
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </Table>
          <Paging cursor={cursor} next={page.cursor} onCursor={setCursor} />
        </section>
      )}
      {asked && <Confirm question={asked} onClose={() => setAsked(undefined)} />}
    </>
  );
};

const NewTokenForm: FunctionComponent<{ onMake: (body: object) => void }> = ({ onMake }) => {
  const [role, setRole] = useState<AdminRole>('viewer');
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const apps = text('apps')
      .split(/[\s,]+/)
      .filter(Boolean);
    onMake({
      name: text('name'),
      role,
      ...(apps.length > 0 && { apps }),
      ...(text('until') && { expires_at: Math.floor(Date.parse(text('until')) / 1000) }),
    });
  };
  return (
    <section class="panel" aria-label="New token">
      <form class="filters" onSubmit={submit}>
        <label>
          Name
          <input name="name" required pattern="[A-Za-z0-9_.\-]{1,64}" title="1 to 64 of A-Z a-z 0-9 _ . -" />
        </label>
        <label>
          Role
          <select value={role} onChange={(event) => setRole(event.currentTarget.value as AdminRole)}>
            {(Object.keys(MAY) as AdminRole[]).map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
        <label>
          Ids of apps
          <input name="apps" placeholder="all" spellcheck={false} />
        </label>
        <label>
          Until
          <input name="until" type="datetime-local" />
        </label>
        <p class="actions">
          <button type="submit">New token</button>
        </p>
        <p class="note wide">It may: {MAY[role]}.</p>
      </form>
    </section>
  );
};
