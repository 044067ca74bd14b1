import type { FunctionComponent } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { useAnswer } from '../../data/use-answer.ts';
import { addressOf, replaceQuery } from '../../frame/route.ts';
import { Empty } from '../../parts/empty.tsx';
import { Failure } from '../../parts/failure.tsx';
import { count, rate } from '../../parts/format.ts';
import { Paging } from '../../parts/paging.tsx';
import { Table } from '../../parts/table.tsx';
import { Untrusted } from '../../parts/untrusted.tsx';
import { admin } from '../data/admin-api.ts';
import { useRights } from '../data/rights.ts';
import { type AppFigures, SPARK_MINUTES, useAppFigures } from '../data/use-app-figures.ts';
import type { AppView } from '../data/wire.ts';
import { Sparkline } from '../parts/sparkline.tsx';

const REFRESH_MS = 5000;
/** Milliseconds without a key before the broker is asked. */
const PAUSE_MS = 150;
/** Their minutes fit in one answer. */
const PAGE = 25;

/** All apps with what happens in them, by a part of their ids and names. */
export const AppsView: FunctionComponent<{ query: URLSearchParams }> = ({ query }) => {
  const { make } = useRights();
  const [text, setText] = useState(query.get('q') ?? '');
  const [page, setPage] = useState({ q: text, cursor: query.get('cursor') ?? '' });
  useEffect(() => {
    if (text === page.q) return undefined;
    const timer = setTimeout(() => {
      replaceQuery(text === '' ? {} : { q: text });
      setPage({ q: text, cursor: '' });
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, page.q]);
  const question = useCallback(() => admin.apps({ ...page, limit: String(PAGE) }), [page]);
  const { value, failure } = useAnswer(question, REFRESH_MS);
  const figures = useAppFigures(value?.apps);
  const isFiltered = page.q !== '' || page.cursor !== '';
  /** Each page has an address, so that the way back leads to the one before. */
  const open = (cursor: string) =>
    location.assign(
      `${addressOf('apps')}?${new URLSearchParams({ ...(page.q && { q: page.q }), ...(cursor && { cursor }) })}`,
    );
  return (
    <>
      <div class="page-head">
        <h2>Apps</h2>
        <label class="inline">
          <span class="unseen">Search</span>
          <input
            type="search"
            value={text}
            spellcheck={false}
            placeholder="Search by name or id"
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        {make && (
          <a class="button end" href={addressOf('apps', 'new')}>
            New app
          </a>
        )}
      </div>
      <Failure failure={failure} />
      {value && (
        <section class={failure ? 'panel stale' : 'panel'} aria-label="Apps">
          {value.apps.length === 0 && !isFiltered && <NoApps />}
          {value.apps.length === 0 && isFiltered && (
            <Empty title="No app is found">Neither a name nor an id contains “{page.q}”.</Empty>
          )}
          {value.apps.length > 0 && <AppTable apps={value.apps} figures={figures} />}
          <Paging cursor={page.cursor} next={value.cursor} onCursor={open} />
        </section>
      )}
    </>
  );
};

const NoApps: FunctionComponent = () => {
  const { make, me } = useRights();
  if (make) {
    return (
      <Empty title="Create your first app">
        An app has its own keys, channels, limits and webhooks. Make one for each product or team.{' '}
        <a href={addressOf('apps', 'new')}>Create an app</a>
      </Empty>
    );
  }
  if (me.has_store)
    return <Empty title="There is no app that you may see">Ask the owner of the broker.</Empty>;
  return (
    <Empty title="There is no app, and none can be made here">
      The broker has no app store: set <code>data</code> or <code>redis</code> in its configuration, or add
      apps to its file.
    </Empty>
  );
};

const AppTable: FunctionComponent<{ apps: readonly AppView[]; figures: AppFigures }> = ({
  apps,
  figures: { live, minutes },
}) => (
  <Table
    name="Apps"
    class="apps"
    columns={[
      'App',
      'State',
      { number: 'Connections' },
      { number: 'Messages / s' },
      { number: 'Deliveries / s' },
      `Last ${SPARK_MINUTES} min`,
    ]}
  >
    {apps.map(({ id, name, enabled, managed_by: managedBy, keys }) => {
      const now = live.get(id);
      const values = minutes.get(id);
      return (
        <tr key={id}>
          <th scope="row">
            <a href={addressOf('apps', id)}>
              <Untrusted text={name ?? id} />
            </a>
            {name !== undefined && name !== id && (
              <code class="id">
                <Untrusted text={id} />
              </code>
            )}
          </th>
          <td>
            <State enabled={enabled} hasKey={keys.some(({ state }) => state !== 'revoked')} />
            {managedBy === 'file' && <span class="note"> file</span>}
          </td>
          <td class="number">{now ? count(now.connections) : '–'}</td>
          <td class="number">{now ? rate(now.messages_per_second) : '–'}</td>
          <td class="number">{now ? rate(now.deliveries_per_second) : '–'}</td>
          <td>
            {values && (
              <Sparkline
                values={values}
                label={`${count(values.reduce((sum, value) => sum + value, 0))} deliveries in ${SPARK_MINUTES} minutes`}
              />
            )}
          </td>
        </tr>
      );
    })}
  </Table>
);

const State: FunctionComponent<{ enabled: boolean; hasKey: boolean }> = ({ enabled, hasKey }) => {
  if (!enabled) return <span class="pill warn">disabled</span>;
  if (!hasKey) return <span class="pill bad">no key</span>;
  return <span class="pill good">active</span>;
};
