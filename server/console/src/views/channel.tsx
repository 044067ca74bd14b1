import type { FunctionComponent } from 'preact';
import { useCallback, useEffect } from 'preact/hooks';
import { api } from '../api.ts';
import { age, count, readable, timeOf } from '../format.ts';
import { useLive } from '../live-context.ts';
import { addressOf } from '../route.ts';
import { useAnswer } from '../use-answer.ts';
import type { ChannelState } from '../wire.ts';

const REFRESH_MS = 2000;
/** Events that are shown. */
const EVENTS = 100;

/** One channel: who is there, and what passes while somebody looks. */
export const ChannelView: FunctionComponent<{ name: string }> = ({ name }) => {
  const live = useLive();
  const question = useCallback(() => api.channel(name), [name]);
  const { value: channel, error } = useAnswer(question, REFRESH_MS);
  useEffect(() => {
    live.watch(name);
    return () => live.watch(undefined);
  }, [live, name]);
  const events = live.entries.filter((entry) => entry.kind === 'published' && entry.channel === name);
  return (
    <>
      <section class="panel">
        <div class="tools">
          <h2>{name}</h2>
          {channel && (
            <p class="quiet">
              {channel.kind}
              {channel.cache ? ', cache' : ''} · {count(channel.subscriptions)} subscriptions
            </p>
          )}
          <p class="end">
            <a href={addressOf('publish', name)}>Publish to it</a>{' '}
            <a href={addressOf('channels')}>All channels</a>
          </p>
        </div>
        {error && <p class="error">{error}</p>}
        <SubscriberTable />
      </section>
      {channel?.kind === 'presence' && <Members members={channel.members} />}
      {channel?.cache && <Kept last={channel.last} />}
      <section class="panel">
        <h3>Events as they pass</h3>
        {events.length === 0 ? (
          <p class="quiet">None since this channel was opened.</p>
        ) : (
          <ol class="entries" aria-label="Events">
            {events.slice(0, EVENTS).map((entry) => (
              <li key={entry.n}>
                <div class="line">
                  <time dateTime={new Date(entry.at).toISOString()}>{timeOf(entry.at)}</time>
                  <span class="kind">{entry.name}</span>
                  <code class="detail">{entry.data}</code>
                  {entry.sender !== undefined && <span class="quiet">from {entry.sender}</span>}
                </div>
              </li>
            ))}
          </ol>
        )}
      </section>
    </>
  );
};

const SubscriberTable: FunctionComponent = () => {
  const { total, list } = useLive().subscribers;
  const now = Date.now();
  if (list.length === 0) return <p class="quiet">Nobody is subscribed.</p>;
  return (
    <>
      <table>
        <caption class="unseen">Subscribers</caption>
        <thead>
          <tr>
            <th scope="col">Socket id</th>
            <th scope="col">User</th>
            <th scope="col">Client</th>
            <th scope="col">Address</th>
            <th scope="col" class="number">
              Connected for
            </th>
          </tr>
        </thead>
        <tbody>
          {list.map(({ socketId, userId, client, address, since }) => (
            <tr key={socketId}>
              <th scope="row">
                <code>{socketId}</code>
              </th>
              <td>{userId}</td>
              <td>{client}</td>
              <td>{address}</td>
              <td class="number">{age(now - since)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {total > list.length && (
        <p class="quiet">
          {count(list.length)} of {count(total)} are shown.
        </p>
      )}
    </>
  );
};

const Members: FunctionComponent<{ members: ChannelState['members'] }> = ({ members }) => (
  <section class="panel">
    <h3>Members ({count(members.length)})</h3>
    <ul class="members">
      {members.map(({ id, info }) => (
        <li key={id}>
          <strong>{id}</strong> {info !== undefined && <code class="quiet">{JSON.stringify(info)}</code>}
        </li>
      ))}
    </ul>
  </section>
);

const Kept: FunctionComponent<{ last: ChannelState['last'] }> = ({ last }) => (
  <section class="panel">
    <h3>Kept event</h3>
    {last ? (
      <>
        <p>
          <strong>{last.name}</strong> <span class="quiet">for {age(last.ttlSeconds * 1000)} more</span>
        </p>
        <pre>
          <code>{readable(last.data)}</code>
        </pre>
      </>
    ) : (
      <p class="quiet">None: who subscribes now gets pusher:cache_miss.</p>
    )}
  </section>
);
