import type { FunctionComponent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import { addressOf } from '../frame/route.ts';
import { Empty } from '../parts/empty.tsx';
import { Failure } from '../parts/failure.tsx';
import { count } from '../parts/format.ts';
import { Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 2000;

/** The occupied channels. */
export const ChannelsView: FunctionComponent = () => {
  const [contains, setContains] = useState('');
  const question = useCallback(() => api.channels({ contains }), [contains]);
  const { value, failure } = useAnswer(question, REFRESH_MS);
  return (
    <section class={failure ? 'panel stale' : 'panel'}>
      <div class="tools">
        <h2>Channels</h2>
        <label class="inline">
          Contains
          <input
            type="search"
            value={contains}
            spellcheck={false}
            placeholder="orders"
            onInput={(event) => setContains(event.currentTarget.value)}
          />
        </label>
        {value && <p class="quiet">{count(value.total)} occupied</p>}
      </div>
      <Failure failure={failure} />
      {value && value.channels.length === 0 && (
        <Empty title={contains ? 'No channel has this in its name' : 'No channel is occupied'}>
          {contains
            ? `No occupied channel contains “${contains}”. Upper and lower case count.`
            : 'A channel is here as long as somebody is subscribed to it.'}
        </Empty>
      )}
      {value && value.channels.length > 0 && (
        <Table
          name="Channels"
          columns={['Channel', 'Kind', { number: 'Subscriptions' }, { number: 'Members' }]}
        >
          {value.channels.map(({ name, kind, subscriptions, members }) => (
            <tr key={name}>
              <th scope="row">
                <a href={addressOf('channels', name)}>
                  <Untrusted text={name} />
                </a>
              </th>
              <td>{kind}</td>
              <td class="number">{count(subscriptions)}</td>
              <td class="number">{kind === 'presence' ? count(members) : ''}</td>
            </tr>
          ))}
        </Table>
      )}
      {value && value.total > value.channels.length && (
        <p class="quiet">
          Only the {count(value.channels.length)} channels with the most subscriptions are shown.
        </p>
      )}
    </section>
  );
};
