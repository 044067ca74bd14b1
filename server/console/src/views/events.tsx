import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { isRefusal, type NumberedEntry } from '../data/live.ts';
import { useLive } from '../data/live-context.ts';
import { EntryLine, textOf } from '../parts/entry.tsx';
import { countOf } from '../parts/format.ts';

/** Lines that are shown. */
const SHOWN = 200;

/** The event stream: one line for each event, the newest first. */
export const EventsView: FunctionComponent = () => {
  const live = useLive();
  const { entries, dropped } = live;
  useEffect(() => live.look(), [live]);
  const [filter, setFilter] = useState('');
  const [refusalsOnly, setRefusalsOnly] = useState(false);
  const [paused, setPaused] = useState<readonly NumberedEntry[]>();
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = (paused ?? entries)
    .filter((entry) => !refusalsOnly || isRefusal(entry))
    .filter((entry) => words.every((word) => textOf(entry).includes(word)));
  return (
    <section class="panel">
      <div class="tools">
        <h2>Events</h2>
        <label class="inline">
          Filter
          <input
            type="search"
            value={filter}
            spellcheck={false}
            placeholder="channel, socket id, word"
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={refusalsOnly}
            onChange={(event) => setRefusalsOnly(event.currentTarget.checked)}
          />
          Refusals only
        </label>
        <button
          type="button"
          class="plain end"
          data-pause
          aria-pressed={paused !== undefined}
          onClick={() => setPaused(paused ? undefined : entries)}
        >
          Pause
        </button>
      </div>
      {dropped > 0 && <p class="quiet">{countOf(dropped, 'more event')} not shown (too many per second).</p>}
      {shown.length === 0 ? (
        <p class="quiet">
          {entries.length === 0 ? 'No events since you opened this page.' : 'No event matches the filter.'}
        </p>
      ) : (
        <ol class="entries" aria-label="Events">
          {shown.slice(0, SHOWN).map((entry) => (
            <EntryLine key={entry.n} entry={entry} />
          ))}
        </ol>
      )}
    </section>
  );
};
