import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useLive } from '../data/live-context.ts';
import { POINTS, type Point } from '../data/series.ts';
import { useAnswer } from '../data/use-answer.ts';
import type { DeliveryState, HookView, SessionView } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { Chart } from '../parts/chart.tsx';
import { EntryLine } from '../parts/entries/entry.tsx';
import { Failure } from '../parts/failure.tsx';
import { count, rate } from '../parts/format.ts';
import { FirstSteps } from './first-steps.tsx';

const CARDS: readonly (readonly [name: keyof Point, title: string, print: (value: number) => string])[] = [
  ['connections', 'Connections', count],
  ['channels', 'Channels', count],
  ['subscriptions', 'Subscriptions', count],
  ['messagesOut', 'Messages out / s', rate],
  ['messagesIn', 'Messages in / s', rate],
  ['publishes', 'Publishes / s', rate],
  ['refusals', 'Refusals / s', rate],
];
/** Refusals that this view shows; the Events view has the others. */
const LATEST = 3;
const WEBHOOKS_MS = 2000;

/** The app in live numbers, and its latest refusals. */
export const LiveView: FunctionComponent<{ session: SessionView }> = ({ session }) => {
  const { series, refusals } = useLive();
  const latest = series.points.at(-1);
  return (
    <>
      <h2>Live</h2>
      <FirstSteps session={session} />
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
          <p class="quiet">No refusals since you opened this page.</p>
        ) : (
          <>
            <ol class="entries">
              {refusals.slice(0, LATEST).map(({ key, newest, diagnosis, count: total }) => (
                <EntryLine key={key} entry={{ ...newest, diagnosis }} times={total} />
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
  const { value: webhooks, failure } = useAnswer(api.webhooks, WEBHOOKS_MS);
  const { points } = useLive().series;
  const [values, setValues] = useState<readonly number[]>([]);
  const pending = webhooks && sum(webhooks, 'pending') + sum(webhooks, 'failing');
  useEffect(() => {
    // One point for each point of the other charts.
    if (pending !== undefined) setValues((before) => [...before, pending].slice(-POINTS));
  }, [points]);
  return (
    <section class={failure ? 'card stale' : 'card'} aria-label="Webhooks pending">
      <h3>Webhooks pending</h3>
      <p class="figure" data-figure="webhooks">
        {pending === undefined ? '–' : count(pending)}
        {webhooks && (
          <small>
            {count(sum(webhooks, 'failing'))} failing, {count(sum(webhooks, 'dead'))} dead
          </small>
        )}
      </p>
      <Failure failure={failure} />
      <Chart values={values} />
    </section>
  );
};

function sum(webhooks: readonly HookView[], state: DeliveryState): number {
  return webhooks.reduce((total, { deliveries }) => total + deliveries[state], 0);
}
