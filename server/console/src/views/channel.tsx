import type { FunctionComponent } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { eventsBehind } from '../data/behind.ts';
import type { ShownSubscriber } from '../data/live.ts';
import { useLive } from '../data/live-context.ts';
import { useAnswer } from '../data/use-answer.ts';
import { told, useOutcome } from '../data/use-outcome.ts';
import type { ChannelHistory, ChannelState } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { Confirm } from '../parts/confirm.tsx';
import { EntryLine } from '../parts/entries/entry.tsx';
import { Happened } from '../parts/entries/happened.tsx';
import { Failure } from '../parts/failure.tsx';
import { age, bytes, count, countOf, readable } from '../parts/format.ts';
import { Grants } from '../parts/grants.tsx';
import { SocketLink, UserLink } from '../parts/links.tsx';
import { OutcomeLine } from '../parts/outcome-line.tsx';
import { Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { HistoryPanel } from './channel-history.tsx';

const REFRESH_MS = 2000;
/** Events that are shown. */
const EVENTS = 100;

/** One channel: its subscribers, members and kept event, and its events while the view is open. */
export const ChannelView: FunctionComponent<{ name: string }> = ({ name }) => {
  const live = useLive();
  const question = useCallback(() => api.channel(name), [name]);
  const { value: channel, failure } = useAnswer(question, REFRESH_MS);
  const askHistory = useCallback(() => api.history(name), [name]);
  const { value: history } = useAnswer(askHistory, REFRESH_MS);
  useEffect(() => {
    live.watch({ channel: name });
    return () => live.watch({});
  }, [live, name]);
  const events = live.entries.filter((entry) => entry.kind === 'published' && entry.channel === name);
  const freshness = failure ? 'panel stale' : 'panel';
  return (
    <>
      <section class={freshness}>
        <div class="tools">
          <h2>
            <Untrusted text={name} />
          </h2>
          {channel && (
            <p class="quiet">
              {channel.kind}
              {channel.cache ? ', cache' : ''} · {countOf(channel.subscriptions, 'subscription')}
            </p>
          )}
          <p class="end">
            <a href={addressOf('publish', name)}>Publish to it</a>{' '}
            <a href={addressOf('channels')}>All channels</a>
          </p>
        </div>
        <Failure failure={failure} />
        <SubscriberTable history={history} />
      </section>
      {channel && channel.kind !== 'public' && <Granted channel={name} />}
      {channel?.kind === 'presence' && <Members members={channel.members} freshness={freshness} />}
      {history && <HistoryPanel history={history} freshness={freshness} />}
      {channel?.cache && <KeptEvent event={channel.last} freshness={freshness} />}
      <section class="panel">
        <h3>Live events</h3>
        {events.length === 0 ? (
          <p class="quiet">No events since you opened this channel.</p>
        ) : (
          <ol class="entries" aria-label="Events">
            {events.slice(0, EVENTS).map((entry) => (
              <EntryLine key={entry.n} entry={entry} />
            ))}
          </ol>
        )}
      </section>
      {channel && channel.kind !== 'public' && <Happened about={{ channel: name }} />}
    </>
  );
};

/** Who may read the channel and until when, and how that is taken back. */
const Granted: FunctionComponent<{ channel: string }> = ({ channel }) => {
  const question = useCallback(() => api.access(channel), [channel]);
  const { value, failure, ask } = useAnswer(question, REFRESH_MS);
  const { outcome, run } = useOutcome(ask);
  const [isAsking, setAsking] = useState(false);
  const revoke = (target: object) => run(api.revoke({ target }).then(told));
  return (
    <section class={failure ? 'panel stale' : 'panel'}>
      <div class="tools">
        <h3>Grants</h3>
        {value && value.subscriptions.length > 0 && (
          <p class="end">
            <button type="button" class="danger" onClick={() => setAsking(true)}>
              Revoke all
            </button>
          </p>
        )}
      </div>
      <OutcomeLine outcome={outcome} />
      <Failure failure={failure} />
      {value && <Grants held={value.subscriptions} by="user" onRevoke={revoke} />}
      {isAsking && (
        <Confirm
          question={{
            title: 'Revoke all grants?',
            text: 'Every subscription to this channel ends, on all nodes. Clients are told so.',
            verb: 'Revoke all',
            run: () => revoke({ channel }),
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </section>
  );
};

const SubscriberTable: FunctionComponent<{ history: ChannelHistory | undefined }> = ({ history }) => {
  const { total, list } = useLive().subscribers;
  const now = Date.now();
  if (list.length === 0) return <p class="quiet">No subscribers.</p>;
  return (
    <>
      <Table
        name="Subscribers"
        columns={[
          'Connection',
          'User',
          'Client',
          'Address',
          ...(history?.rule ? ['History'] : []),
          { number: 'Connected for' },
        ]}
      >
        {list.map(({ socketId, userId, client, address, since, ...progress }) => (
          <tr key={socketId}>
            <th scope="row">
              <SocketLink id={socketId} />
            </th>
            <td>{userId !== undefined && <UserLink id={userId} />}</td>
            <td>
              <Untrusted text={client} />
            </td>
            <td>{address}</td>
            {history?.rule && (
              <td>
                <Progress {...progress} history={history} />
              </td>
            )}
            <td class="number">{age(now - since)}</td>
          </tr>
        ))}
      </Table>
      {total > list.length && (
        <p class="quiet">
          {count(list.length)} of {count(total)} are shown.
        </p>
      )}
    </>
  );
};

/** Whether a subscriber has all events of the history. */
const Progress: FunctionComponent<
  Pick<ShownSubscriber, 'position' | 'newest' | 'unreadBytes'> & { history: ChannelHistory }
> = ({ position, newest, unreadBytes, history }) => {
  if (unreadBytes > 0) return <span class="pill warn">{bytes(unreadBytes)} not read</span>;
  if (position === undefined) return null;
  const behind = eventsBehind(position, newest, history);
  if (behind === 0) return <span class="pill good">has all</span>;
  return (
    <span class="pill warn" title={position}>
      {behind === undefined ? 'far behind' : `${countOf(behind, 'event')} behind`}
    </span>
  );
};

const Members: FunctionComponent<{ members: ChannelState['members']; freshness: string }> = ({
  members,
  freshness,
}) => (
  <section class={freshness}>
    <h3>Members ({count(members.length)})</h3>
    <ul class="members">
      {members.map(({ id, info }) => (
        <li key={id}>
          <strong>
            <UserLink id={id} />
          </strong>{' '}
          {info !== undefined && (
            <code class="quiet">
              <Untrusted text={JSON.stringify(info)} />
            </code>
          )}
        </li>
      ))}
    </ul>
  </section>
);

const KeptEvent: FunctionComponent<{ event: ChannelState['last']; freshness: string }> = ({
  event,
  freshness,
}) => (
  <section class={freshness}>
    <h3>Kept event</h3>
    {event ? (
      <>
        <p>
          <strong>
            <Untrusted text={event.name} />
          </strong>{' '}
          <span class="quiet">for {age(event.ttlSeconds * 1000)} more</span>
        </p>
        <pre>
          <code>
            <Untrusted text={readable(event.data)} lines />
          </code>
        </pre>
      </>
    ) : (
      <p class="quiet">None: new subscribers get pusher:cache_miss.</p>
    )}
  </section>
);
