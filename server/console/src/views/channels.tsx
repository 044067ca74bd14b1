import type { FunctionComponent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { Failure } from '../parts/failure.tsx';
import { count } from '../parts/format.ts';
import { addressOf } from '../frame/route.ts';
import { Untrusted } from '../parts/untrusted.tsx';
import { useAnswer } from '../data/use-answer.ts';

const REFRESH_MS = 2000;

/** The occupied channels. */
export const ChannelsView: FunctionComponent = () => {
  const [prefix, setPrefix] = useState('');
  const question = useCallback(() => api.channels(prefix), [prefix]);
  const { value, failure } = useAnswer(question, REFRESH_MS);
  return (
    <section class={failure ? 'panel stale' : 'panel'}>
      <div class="tools">
        <h2>Channels</h2>
        <label class="inline">
          Starts with
          <input
            type="search"
            value={prefix}
            spellcheck={false}
            placeholder="private-"
            onInput={(event) => setPrefix(event.currentTarget.value)}
          />
        </label>
        {value && <p class="quiet">{count(value.total)} occupied</p>}
      </div>
      <Failure failure={failure} />
      {value && value.channels.length === 0 && (
        <p class="quiet">{prefix ? `No channel starts with ${prefix}.` : 'No channels yet.'}</p>
      )}
      {value && value.channels.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Channel</th>
              <th scope="col">Kind</th>
              <th scope="col" class="number">
                Subscriptions
              </th>
              <th scope="col" class="number">
                Members
              </th>
            </tr>
          </thead>
          <tbody>
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
          </tbody>
        </table>
      )}
      {value && value.total > value.channels.length && (
        <p class="quiet">
          Only the {count(value.channels.length)} channels with the most subscriptions are shown.
        </p>
      )}
    </section>
  );
};
