import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import { addressOf } from '../frame/route.ts';
import { AuditIsOff, RecordTable } from '../parts/entries/happened.tsx';
import { Failure } from '../parts/failure.tsx';
import { Paging } from '../parts/paging.tsx';

const REFRESH_MS = 5000;
const FIELDS = [
  ['user_id', 'User'],
  ['channel', 'Channel'],
  ['grant_id', 'Grant'],
] as const;

/** The audit log of the app, by user, channel and grant; what is asked for is in the address. */
export const AuditView: FunctionComponent<{ query: URLSearchParams }> = ({ query }) => {
  const asked = String(query);
  const [cursor, setCursor] = useState('');
  const question = useCallback(
    () => api.audit({ ...Object.fromEntries(new URLSearchParams(asked)), ...(cursor && { cursor }) }),
    [asked, cursor],
  );
  const { value: page, failure } = useAnswer(question, REFRESH_MS);
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = [...new FormData(event.currentTarget)].filter(([, text]) => text !== '');
    const next = new URLSearchParams(given.map(([name, text]) => [name, String(text)]));
    location.assign(`${addressOf('audit')}?${next}`);
  };
  return (
    <section class={failure ? 'panel stale' : 'panel'}>
      <div class="tools">
        <h2>Audit</h2>
        <p class="note">who was let into what, what was refused, taken back or changed; the oldest first</p>
      </div>
      <form class="actions" onSubmit={submit}>
        {FIELDS.map(([name, title]) => (
          <label key={name} class="inline">
            {title}
            <input
              type="search"
              name={name}
              defaultValue={query.get(name) ?? ''}
              spellcheck={false}
              autocomplete="off"
            />
          </label>
        ))}
        <button type="submit" class="plain">
          Search
        </button>
      </form>
      <Failure failure={failure} />
      {page && <RecordTable records={page.records} />}
      {page === null && <AuditIsOff />}
      <Paging cursor={cursor} next={page?.cursor} onCursor={setCursor} />
    </section>
  );
};
