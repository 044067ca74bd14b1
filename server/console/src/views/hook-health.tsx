import type { FunctionComponent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import type { HookHealth, LoggedAttempt } from '../data/wire.ts';
import { Bars } from '../parts/bars.tsx';
import { Chart, ChartGroup } from '../parts/chart.tsx';
import { Failure } from '../parts/failure.tsx';
import { count, countOf, momentOf, readable } from '../parts/format.ts';
import { OpeningCell } from '../parts/opening-cell.tsx';
import { Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 5000;
const DAY_MS = 86_400_000;
/** A bar stands for half an hour, which is several steps of the broker. */
const BAR_MS = 1_800_000;
/** The broker tells of steps of ten minutes; nobody sends all the time, so the line bridges an hour. */
const GAP_MS = 3_600_000;
const COLUMNS = 6;

/** How the last 24 hours of a webhook went: successes, latency, and the last attempts with request and answer. */
export const HookHealthBox: FunctionComponent<{ hook: string }> = ({ hook }) => {
  const question = useCallback(() => api.hookHealth(hook), [hook]);
  const { value: health, failure } = useAnswer(question, REFRESH_MS);
  const [isOpen, setOpen] = useState(false);
  if (!health) return <Failure failure={failure} />;
  const { total, attempts } = health;
  const sent = total.delivered + total.failed;
  if (sent === 0) return <p class="quiet">Nothing was sent in the last 24 hours.</p>;
  return (
    <>
      <Failure failure={failure} />
      <dl class="measures">
        <Measure title="Delivered in 24 hours" value={shareOf(total.delivered, sent)}>
          of {countOf(sent, 'attempt')}
        </Measure>
        <Measure title="Median latency" value={latency(total.p50)} />
        <Measure title="95 of 100 within" value={latency(total.p95)} />
      </dl>
      <Course health={health} />
      <p>
        <button type="button" class="plain" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          Last {countOf(attempts.length, 'attempt')}
        </button>
      </p>
      {isOpen && (
        <Table
          name="Last attempts"
          columns={[
            'Time',
            'Answer',
            { number: 'Took' },
            'Channel or user',
            { number: 'Events' },
            'Delivery',
          ]}
        >
          {attempts.map((attempt) => (
            <AttemptRow key={attempt.n} attempt={attempt} />
          ))}
        </Table>
      )}
    </>
  );
};

const Measure: FunctionComponent<{ title: string; value: string }> = ({ title, value, children }) => (
  <div>
    <dt>{title}</dt>
    <dd>
      <strong>{value}</strong> <span class="note">{children}</span>
    </dd>
  </div>
);

const Course: FunctionComponent<{ health: HookHealth }> = ({ health: { steps } }) => {
  const to = Math.ceil(Date.now() / BAR_MS) * BAR_MS;
  const from = to - DAY_MS;
  const bars = new Map<number, { at: number; good: number; bad: number }>();
  for (const { at: begin, delivered, failed } of steps) {
    const at = Math.floor(begin / BAR_MS) * BAR_MS;
    const bar = bars.get(at) ?? { at, good: 0, bad: 0 };
    bars.set(at, { at, good: bar.good + delivered, bad: bar.bad + failed });
  }
  const points = steps.flatMap(({ at, p95 }) => (p95 === null ? [] : [{ at, value: p95 }]));
  return (
    <ChartGroup>
      <div class="courses">
        <section>
          <h4>Attempts in half an hour</h4>
          <Bars name="Attempts" from={from} to={to} stepMs={BAR_MS} bars={[...bars.values()]} />
        </section>
        <section>
          <h4>95 of 100 answered within</h4>
          <Chart
            name="Latency"
            from={from}
            to={to}
            points={points}
            gapMs={GAP_MS}
            least={100}
            print={(value) => latency(value)}
          />
        </section>
      </div>
    </ChartGroup>
  );
};

const AttemptRow: FunctionComponent<{ attempt: LoggedAttempt }> = ({ attempt }) => {
  const [isOpen, setOpen] = useState(false);
  const { at, ms, delivery, lane, events, outcome, status, answer, request } = attempt;
  return (
    <>
      <tr>
        <OpeningCell
          at={at}
          label={`Request and answer at ${momentOf(at)}`}
          isOpen={isOpen}
          onToggle={() => setOpen(!isOpen)}
        />
        <td>
          <span class={outcome === 'delivered' ? 'pill good' : 'pill bad'}>{status ?? outcome}</span>
        </td>
        <td class="number">{latency(ms)}</td>
        <th scope="row">
          <Untrusted text={lane} />
        </th>
        <td class="number">{count(events)}</td>
        <td>
          <code>{delivery}</code>
        </td>
      </tr>
      {isOpen && (
        <tr>
          <td colSpan={COLUMNS}>
            <div class="facts">
              <h4>Request</h4>
              <dl>
                {Object.entries(request.headers).map(([name, value]) => [
                  <dt key={name}>{name}</dt>,
                  <dd key={`${name} value`}>
                    <Untrusted text={value} />
                  </dd>,
                ])}
              </dl>
              <Text text={readable(request.body)} />
              <h4>Answer{status === null ? '' : ` ${status}`}</h4>
              {answer === '' ? <p class="quiet">Without a body.</p> : <Text text={answer} />}
            </div>
          </td>
        </tr>
      )}
    </>
  );
};

const Text: FunctionComponent<{ text: string }> = ({ text }) => (
  <pre>
    <code>
      <Untrusted text={text} lines />
    </code>
  </pre>
);

function latency(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 1000 ? `${count(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Not 100 % while anything failed. */
function shareOf(good: number, all: number): string {
  const share = Math.floor((good / all) * 1000) / 10;
  return `${share} %`;
}
