import type { FunctionComponent } from 'preact';
import { api } from '../api.ts';
import { Chart } from '../chart.tsx';
import { EntryLine, isRefusal } from '../entry.tsx';
import { count, rate } from '../format.ts';
import { useLive } from '../live-context.ts';
import { addressOf } from '../route.ts';
import type { Point } from '../series.ts';
import { useAnswer } from '../use-answer.ts';

const CARDS: readonly (readonly [name: keyof Point, title: string, print: (value: number) => string])[] = [
  ['connections', 'Connections', count],
  ['channels', 'Channels', count],
  ['subscriptions', 'Subscriptions', count],
  ['messagesOut', 'Messages out / s', rate],
  ['messagesIn', 'Messages in / s', rate],
  ['publishes', 'Publishes / s', rate],
  ['refusals', 'Refusals / s', rate],
];
/** Refusals that are shown here; the others are among the events. */
const LATEST = 3;
const WEBHOOKS_MS = 5000;

/** The app in numbers that move. */
export const LiveView: FunctionComponent = () => {
  const { series, entries } = useLive();
  const latest = series.points.at(-1);
  const refusals = entries.filter(isRefusal).slice(0, LATEST);
  return (
    <>
      <h2 class="unseen">Live</h2>
      <div class="cards">
        {CARDS.map(([name, title, print]) => (
          <section key={name} class="card" aria-label={title}>
            <h3>{title}</h3>
            <p class="figure" data-figure={name}>
              {latest ? print(latest[name]) : '–'}
            </p>
            <Chart values={series.points.map((point) => point[name])} />
          </section>
        ))}
        <WebhooksCard />
      </div>
      <section class="panel">
        <h3>Latest refusals</h3>
        {refusals.length === 0 ? (
          <p class="quiet">None since this page was opened.</p>
        ) : (
          <>
            <ol class="entries">
              {refusals.map((entry) => (
                <EntryLine key={entry.n} entry={entry} />
              ))}
            </ol>
            <p>
              <a href={addressOf('events')}>All events</a>
            </p>
          </>
        )}
      </section>
    </>
  );
};

const WebhooksCard: FunctionComponent = () => {
  const { value: webhooks = [] } = useAnswer(api.webhooks, WEBHOOKS_MS);
  const sum = (state: 'pending' | 'failing' | 'dead') =>
    webhooks.reduce((total, { deliveries }) => total + deliveries[state], 0);
  return (
    <section class="card" aria-label="Webhooks pending">
      <h3>Webhooks pending</h3>
      <p class="figure" data-figure="webhooks">
        {count(sum('pending') + sum('failing'))}
      </p>
      <p class="quiet">
        {count(sum('failing'))} failing, {count(sum('dead'))} dead
      </p>
    </section>
  );
};
