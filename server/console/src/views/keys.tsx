import type { FunctionComponent } from 'preact';
import { useLive } from '../data/live-context.ts';
import type { KeyStats, SessionView } from '../data/wire.ts';
import { age, count } from '../parts/format.ts';
import { Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

/** The valid signatures of each key of the app, which show whether an old key is still in use. */
export const KeysView: FunctionComponent<{ session: SessionView }> = ({ session }) => {
  const { series } = useLive();
  const now = Date.now();
  const reports = series.figures.flatMap(({ keys }) => keys);
  const rows = session.app.keys.map((key) => ({
    key,
    ...sumOf(reports.filter((report) => report.key === key)),
  }));
  return (
    <section class="panel">
      <h2>Keys</h2>
      <p class="quiet">Valid signatures per key since the broker started. Unused keys can be removed.</p>
      <Table
        name="Keys"
        columns={[
          'Key',
          { number: 'Last hour' },
          { number: 'Channels' },
          { number: 'Sign-ins' },
          { number: 'API requests' },
          { number: 'Last used' },
        ]}
      >
        {rows.map(({ key, lastHour, channels, users, requests, lastAt }) => (
          <tr key={key}>
            <th scope="row">
              <code>
                <Untrusted text={key} />
              </code>
            </th>
            <td class="number">{count(lastHour)}</td>
            <td class="number">{count(channels)}</td>
            <td class="number">{count(users)}</td>
            <td class="number">{count(requests)}</td>
            <td class="number">{lastAt > 0 ? `${age(now - lastAt)} ago` : 'never'}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
};

function sumOf(reports: readonly KeyStats[]): Required<Omit<KeyStats, 'key'>> {
  const total = { lastHour: 0, channels: 0, users: 0, requests: 0, lastAt: 0 };
  for (const { lastHour = 0, channels = 0, users = 0, requests = 0, lastAt = 0 } of reports) {
    total.lastHour += lastHour;
    total.channels += channels;
    total.users += users;
    total.requests += requests;
    total.lastAt = Math.max(total.lastAt, lastAt);
  }
  return total;
}
