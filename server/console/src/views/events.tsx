import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { matches, readFilter, type Sort, sortOf, withSort } from '../data/filter.ts';
import type { NumberedEntry } from '../data/live.ts';
import { useLive } from '../data/live-context.ts';
import { type RefusalGroup, refusalKey } from '../data/refusals.ts';
import { type Route, replaceQuery } from '../frame/route.ts';
import { Empty } from '../parts/empty.tsx';
import { EntryLine } from '../parts/entries/entry.tsx';
import { textOf } from '../parts/entries/entry-text.ts';
import { RefusalGroupBox } from '../parts/entries/refusal-group.tsx';
import { countOf } from '../parts/format.ts';

/** Lines that are shown. */
const SHOWN = 200;
/** Groups of refusals that are shown. */
const SHOWN_GROUPS = 4;
/** Equal refusals that become a group. */
const GROUPED = 2;
const SORTS: readonly (readonly [sort: Sort | undefined, title: string])[] = [
  [undefined, 'All'],
  ['published', 'Published'],
  ['client', 'Client events'],
  ['joined', 'Joins'],
  ['connected', 'Connections'],
  ['refused', 'Refusals'],
];

/** What stands still while the page is paused. */
interface Moment {
  readonly entries: readonly NumberedEntry[];
  readonly refusals: readonly RefusalGroup[];
}

/** The event stream: what is published and what happens, the newest first, with equal refusals in groups above. */
export const EventsView: FunctionComponent<{ route: Route }> = ({ route }) => {
  const live = useLive();
  useEffect(() => live.look(), [live]);
  const [text, setText] = useState(route.query.get('q') ?? '');
  useEffect(() => setText(route.query.get('q') ?? ''), [route]);
  const [paused, setPaused] = useState<Moment>();
  const [opened, setOpened] = useState<string>();
  const { entries, refusals } = paused ?? live;
  const filter = readFilter(text);
  const search = (wanted: string) => {
    setText(wanted);
    replaceQuery(wanted === '' ? {} : { q: wanted });
  };
  const shows = (entry: NumberedEntry) => matches(entry, filter, textOf);
  const groups = refusals
    .filter(({ count, newest }) => count >= GROUPED && shows({ ...newest, n: 0 }))
    .slice(0, SHOWN_GROUPS);
  const grouped = new Set(groups.map(({ key }) => key));
  const shown = entries.filter((entry) => {
    const key = sortOf(entry) === 'refused' ? refusalKey(entry) : '';
    return shows(entry) && (!grouped.has(key) || key === opened);
  });
  return (
    <section class="panel">
      <div class="tools">
        <h2>Events</h2>
        <label class="inline">
          <span class="unseen">Filter</span>
          <input
            type="search"
            value={text}
            spellcheck={false}
            placeholder="channel:news user:ann word"
            onInput={(event) => search(event.currentTarget.value)}
          />
        </label>
        <button
          type="button"
          class="plain end"
          data-pause
          aria-pressed={paused !== undefined}
          onClick={() => setPaused(paused ? undefined : { entries, refusals })}
        >
          Pause
        </button>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot scroll sideways */}
      <div class="chips" role="group" aria-label="Kinds of events">
        {SORTS.map(([sort, title]) => (
          <button
            key={title}
            type="button"
            class="plain"
            aria-pressed={sort === undefined ? filter.sorts.length === 0 : filter.sorts.includes(sort)}
            onClick={() => search(withSort(text, sort))}
          >
            {title}
          </button>
        ))}
      </div>
      {live.dropped > 0 && (
        <p class="note">{countOf(live.dropped, 'more event')} not shown (too many per second).</p>
      )}
      {groups.map((group) => (
        <RefusalGroupBox
          key={group.key}
          group={group}
          isShown={opened === group.key}
          onToggle={() => setOpened(opened === group.key ? undefined : group.key)}
        />
      ))}
      {shown.length === 0 && groups.length === 0 && <Nothing hasEntries={entries.length > 0} />}
      {shown.length > 0 && (
        <ol class="entries" aria-label="Events">
          {shown.slice(0, SHOWN).map((entry) => (
            <EntryLine key={entry.n} entry={entry} />
          ))}
        </ol>
      )}
    </section>
  );
};

const Nothing: FunctionComponent<{ hasEntries: boolean }> = ({ hasEntries }) =>
  hasEntries ? (
    <Empty title="No event matches the filter">
      Use channel:, event:, user: or socket: with a part of the name, or any word of the line.
    </Empty>
  ) : (
    <Empty title="No events since you opened this page">
      Connect a client, or publish an event: each connection, join, event and refusal appears here.
    </Empty>
  );
