import type { FunctionComponent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../api.ts';
import { count } from '../format.ts';
import { addressOf } from '../route.ts';
import { useAnswer } from '../use-answer.ts';

const REFRESH_MS = 2000;

/** The occupied channels. */
export const ChannelsView: FunctionComponent = () => {
  const [prefix, setPrefix] = useState('');
  const question = useCallback(() => api.channels(prefix), [prefix]);
  const { value, error } = useAnswer(question, REFRESH_MS);
  return (
    <section class="panel">
      <div class="tools">
        <h2>Channels</h2>
        <label class="inline">
          Begins with
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
      {error && <p class="error">{error}</p>}
      {value && value.channels.length === 0 && <p class="quiet">Nobody is subscribed to such a channel.</p>}
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
                  <a href={addressOf('channels', name)}>{name}</a>
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
        <p class="quiet">The {count(value.channels.length)} with most subscriptions are shown.</p>
      )}
    </section>
  );
};
