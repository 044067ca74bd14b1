import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useLive } from '../data/live-context.ts';
import { type ChartRange, extentOf, type Point } from '../data/series.ts';
import { useAnswer } from '../data/use-answer.ts';
import type { DeliveryState, Figures, HookView, SessionView } from '../data/wire.ts';
import { addressOf, type Route, replaceQuery } from '../frame/route.ts';
import { Chart, ChartGroup } from '../parts/chart.tsx';
import { EntryLine } from '../parts/entries/entry.tsx';
import { Failure } from '../parts/failure.tsx';
import { count, rate } from '../parts/format.ts';
import { FirstSteps } from './first-steps.tsx';

const CARDS: readonly (readonly [
  name: Exclude<keyof Point, 'at'>,
  title: string,
  print: (value: number) => string,
])[] = [
  ['connections', 'Connections', count],
  ['channels', 'Channels', count],
  ['subscriptions', 'Subscriptions', count],
  ['messagesOut', 'Messages out / s', rate],
  ['messagesIn', 'Messages in / s', rate],
  ['publishes', 'Publishes / s', rate],
  ['refusals', 'Refusals / s', rate],
];
const RETURNS = [
  ['current', 'missed nothing', 'join'],
  ['replayed', 'got what they missed', 'publish'],
  ['lost', 'lost something', 'refusal'],
] as const;
const RANGE_TITLES: readonly (readonly [range: ChartRange, title: string])[] = [
  ['2m', '2 minutes'],
  ['15m', '15 minutes'],
  ['24h', '24 hours'],
];
const DEFAULT_RANGE = '15m';
/** Refusals that this view shows; the Events view has the others. */
const LATEST = 3;
const WEBHOOKS_MS = 2000;

/** The app in live numbers, and its latest refusals. */
export const LiveView: FunctionComponent<{ session: SessionView; route: Route }> = ({ session, route }) => {
  const live = useLive();
  const { series, refusals } = live;
  const [range, setRange] = useState<ChartRange>(() => readRange(route.query.get('range')));
  useEffect(() => live.showPast(range), [live, range]);
  useEffect(() => () => live.showPast(undefined), [live]);
  const points = series.over(range);
  const { ms, stepMs } = extentOf(range);
  const time = timeOf(points.at(-1)?.at ?? Date.now(), ms, stepMs);
  const latest = series.points.at(-1);
  return (
    <>
      <div class="page-head">
        <h2>Live</h2>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot scroll sideways */}
        <div class="chips end" role="group" aria-label="Time">
          {RANGE_TITLES.map(([each, title]) => (
            <button
              key={each}
              type="button"
              class="plain"
              aria-pressed={range === each}
              onClick={() => {
                setRange(each);
                replaceQuery(each === DEFAULT_RANGE ? {} : { range: each });
              }}
            >
              {title}
            </button>
          ))}
        </div>
      </div>
      <FirstSteps session={session} />
      <ChartGroup>
        <div class="cards">
          {CARDS.map(([name, title, print]) => (
            <section key={name} class="card" aria-label={title}>
              <h3>{title}</h3>
              <p class="figure" data-figure={name}>
                {latest ? print(latest[name]) : '–'}
              </p>
              <Chart
                {...time}
                name={title}
                print={print}
                points={points.map((point) => ({ at: point.at, value: point[name] }))}
              />
            </section>
          ))}
          <ReturnsCard figures={series.figures} />
          <WebhooksCard />
        </div>
      </ChartGroup>
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

/** Clients that came back with a position, by what they got. */
const ReturnsCard: FunctionComponent<{ figures: readonly Figures[] }> = ({ figures }) => {
  const sumOf = (outcome: keyof Figures['recoveries']) =>
    figures.reduce((total, { recoveries }) => total + recoveries[outcome], 0);
  return (
    <section class="card" aria-label="Clients that came back">
      <h3>Clients that came back</h3>
      <dl class="outcomes">
        {RETURNS.map(([outcome, title, kind]) => (
          <div key={outcome}>
            <dt>
              <span class={`dot ${kind}`} /> {title}
            </dt>
            <dd data-figure={outcome}>{count(sumOf(outcome))}</dd>
          </div>
        ))}
      </dl>
      <p class="note">to a channel with a history, since its node started</p>
    </section>
  );
};

const WebhooksCard: FunctionComponent = () => {
  const { value: webhooks, failure } = useAnswer(api.webhooks, WEBHOOKS_MS);
  const pending = webhooks && sum(webhooks, 'pending') + sum(webhooks, 'failing');
  return (
    <section class={failure ? 'card stale' : 'card'} aria-label="Webhooks pending">
      <h3>Webhooks pending</h3>
      <p class="figure" data-figure="webhooks">
        {pending === undefined ? '–' : count(pending)}
      </p>
      <Failure failure={failure} />
      {webhooks && (
        <p class="quiet">
          {count(sum(webhooks, 'failing'))} failing, {count(sum(webhooks, 'dead'))} dead.{' '}
          <a href={addressOf('webhooks')}>All webhooks</a>
        </p>
      )}
    </section>
  );
};

function sum(webhooks: readonly HookView[], state: DeliveryState): number {
  return webhooks.reduce((total, { deliveries }) => total + deliveries[state], 0);
}

function readRange(text: string | null): ChartRange {
  return RANGE_TITLES.find(([range]) => range === text)?.[0] ?? DEFAULT_RANGE;
}

/** The time that all charts show: the longest that fits until the last point. */
function timeOf(to: number, ms: number, stepMs: number) {
  return { from: to - ms, to, gapMs: 2.5 * stepMs };
}
