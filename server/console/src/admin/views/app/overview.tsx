import type { FunctionComponent } from 'preact';
import { useCallback } from 'preact/hooks';
import { useAnswer } from '../../../data/use-answer.ts';
import { Failure } from '../../../parts/failure.tsx';
import { count, rate } from '../../../parts/format.ts';
import { Table } from '../../../parts/table.tsx';
import { admin } from '../../data/admin-api.ts';
import type { StatsView } from '../../data/wire.ts';
import { Meter } from '../../parts/meter.tsx';
import type { PartProps } from './part.ts';

const LIVE_MS = 2000;

const CARDS: readonly (readonly [
  title: string,
  name: Exclude<keyof StatsView, 'limits'>,
  print: (value: number) => string,
])[] = [
  ['Connections', 'connections', count],
  ['Channels', 'channels', count],
  ['Members', 'members', count],
  ['Messages / s', 'messages_per_second', rate],
  ['Deliveries / s', 'deliveries_per_second', rate],
];

const LIMITS: Readonly<Record<keyof StatsView['limits'], string>> = {
  connections: 'Connections at one time',
  messagesPerDay: 'Messages of this day (UTC)',
  connectionMinutesPerMonth: 'Connection minutes of this month (UTC)',
  httpRequestsPerSecond: 'Requests to the HTTP API per second',
};

/** What happens in an app now, and how near its limits are. */
export const OverviewPart: FunctionComponent<PartProps> = ({ app: { id } }) => {
  const question = useCallback(() => admin.stats(id), [id]);
  const { value: stats, failure } = useAnswer(question, LIVE_MS);
  return (
    <>
      <Failure failure={failure} />
      <div class={failure ? 'cards even stale' : 'cards even'}>
        {CARDS.map(([title, name, print]) => (
          <section key={name} class="card" aria-label={title}>
            <h3>{title}</h3>
            <p class="figure" data-figure={name}>
              {stats ? print(stats[name]) : '–'}
            </p>
          </section>
        ))}
      </div>
      {stats && <Limits limits={stats.limits} />}
    </>
  );
};

const Limits: FunctionComponent<{ limits: StatsView['limits'] }> = ({ limits }) => (
  <section class="panel">
    <h3>How near the limits are</h3>
    <Table name="Limits" columns={['Limit', { number: 'Used' }, { number: 'Of' }, 'Share']}>
      {Object.entries(LIMITS).map(([name, title]) => {
        const { limit, used, ratio } = limits[name as keyof typeof LIMITS];
        const share = ratio === null ? undefined : `${Math.round(ratio * 100)} %`;
        return (
          <tr key={name}>
            <th scope="row">{title}</th>
            <td class="number">{count(used)}</td>
            <td class="number">{limit === null ? 'no limit' : count(limit)}</td>
            <td>
              {ratio !== null && <Meter ratio={ratio} label={`${share} used`} />}
              {share !== undefined && <span class="note">{share}</span>}
            </td>
          </tr>
        );
      })}
    </Table>
  </section>
);
