import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useLive } from '../data/live-context.ts';
import { told, useOutcome } from '../data/use-outcome.ts';
import type { ConnectionReport } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { Confirm } from '../parts/confirm.tsx';
import { EndForm } from '../parts/end-form.tsx';
import { EntryLine } from '../parts/entries/entry.tsx';
import { age, bytes, count, momentOf } from '../parts/format.ts';
import { ChannelLink, UserLink } from '../parts/links.tsx';
import { OutcomeLine } from '../parts/outcome-line.tsx';
import { RecordButton } from '../parts/record-button.tsx';
import { ACTIONS, Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

/** Events that are shown. */
const EVENTS = 100;
/** Milliseconds after which a node has told of a connection that it has. */
const TOLD_MS = 3000;

/** One connection: who it is, its channels and grants, what it does, and how it is ended. */
export const ConnectionView: FunctionComponent<{ id: string }> = ({ id }) => {
  const live = useLive();
  const [openedAt] = useState(Date.now);
  useEffect(() => {
    live.watch({ socketId: id });
    return () => live.watch({});
  }, [live, id]);
  const { outcome, run } = useOutcome(() => {});
  const [isAsking, setAsking] = useState(false);
  const { connection, connectionAt } = live;
  const isStale = live.staleSince !== undefined;
  const isHere = connection !== undefined && (isStale || Date.now() - connectionAt < TOLD_MS);
  const disconnect = (target: object, block: number) =>
    run(api.revoke({ target, action: 'disconnect', block_seconds: block }).then(told));
  const events = live.entries.filter(({ socketId, sender }) => socketId === id || sender === id);
  return (
    <>
      <section class="panel">
        <div class="tools">
          <h2>
            Connection <code>{id}</code>
          </h2>
          <State isHere={isHere} isKnown={connection !== undefined || Date.now() - openedAt > TOLD_MS} />
          <p class="end">
            <RecordButton target={{ socket_id: id }} />{' '}
            <a href={`${addressOf('events')}?q=${encodeURIComponent(`socket:${id}`)}`}>In the events</a>
          </p>
        </div>
        {connection && <Facts connection={connection} />}
        {isHere && (
          <div class="actions">
            <button type="button" class="danger" onClick={() => setAsking(true)}>
              End the connection
            </button>
            {connection.userId !== undefined && (
              <EndForm
                verb="End everything of the user"
                onEnd={(block) => disconnect({ user_id: connection.userId }, block)}
              />
            )}
          </div>
        )}
        <OutcomeLine outcome={outcome} />
      </section>
      {connection && (
        <Channels
          connection={connection}
          onRevoke={(channel) => run(api.revoke({ target: { socket_id: id, channel } }).then(told))}
        />
      )}
      <section class="panel">
        <h3>Events</h3>
        {events.length === 0 ? (
          <p class="quiet">It has done nothing since you opened the console.</p>
        ) : (
          <ol class="entries" aria-label="Events">
            {events.slice(0, EVENTS).map((entry) => (
              <EntryLine key={entry.n} entry={entry} />
            ))}
          </ol>
        )}
      </section>
      {isAsking && (
        <Confirm
          question={{
            title: 'End the connection?',
            text: 'It is closed with code 4009. Its client does not connect again by itself.',
            verb: 'End it',
            run: () => disconnect({ socket_id: id }, 0),
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
};

const State: FunctionComponent<{ isHere: boolean; isKnown: boolean }> = ({ isHere, isKnown }) => {
  if (isHere) return <span class="pill good">open</span>;
  return isKnown ? <span class="pill">not connected</span> : <span class="pill">looking</span>;
};

const Facts: FunctionComponent<{ connection: ConnectionReport }> = ({ connection }) => {
  const { userId, client, address, key, since, unreadBytes } = connection;
  return (
    <dl class="facts-list">
      <dt>User</dt>
      <dd>{userId === undefined ? 'not signed in' : <UserLink id={userId} />}</dd>
      <dt>Client</dt>
      <dd>
        <Untrusted text={client} />
      </dd>
      <dt>Address</dt>
      <dd>{address}</dd>
      <dt>Key</dt>
      <dd>
        <Untrusted text={key} />
      </dd>
      <dt>Since</dt>
      <dd>
        {momentOf(since)} ({age(Date.now() - since)})
      </dd>
      <dt>Not read yet</dt>
      <dd>{bytes(unreadBytes)}</dd>
    </dl>
  );
};

const Channels: FunctionComponent<{ connection: ConnectionReport; onRevoke: (channel: string) => void }> = ({
  connection: { channels, totalChannels },
  onRevoke,
}) => (
  <section class="panel">
    <h3>Channels ({count(totalChannels)})</h3>
    {channels.length === 0 ? (
      <p class="quiet">It is in no channel.</p>
    ) : (
      <Table
        name="Channels"
        columns={['Channel', 'As', 'Key', 'May', { number: 'Ends' }, 'Position', ACTIONS]}
      >
        {channels.map(({ name, userId, grant, position }) => (
          <tr key={name}>
            <th scope="row">
              <ChannelLink name={name} />
            </th>
            <td>{userId !== undefined && <UserLink id={userId} />}</td>
            <td>{grant?.key !== undefined && <Untrusted text={grant.key} />}</td>
            <td>{grant?.mayPublish ? 'subscribe, publish' : 'subscribe'}</td>
            <td class="number">
              {grant?.expiresAt === undefined
                ? 'with the connection'
                : `in ${age(grant.expiresAt * 1000 - Date.now())}`}
            </td>
            <td class="position">{position !== undefined && <code>{position}</code>}</td>
            <td class="actions">
              {grant?.id !== undefined && (
                <a href={`${addressOf('audit')}?grant_id=${encodeURIComponent(grant.id)}`}>Log</a>
              )}
              {grant && (
                <button type="button" class="danger" onClick={() => onRevoke(name)}>
                  Revoke
                </button>
              )}
            </td>
          </tr>
        ))}
      </Table>
    )}
    {totalChannels > channels.length && (
      <p class="quiet">
        {count(channels.length)} of {count(totalChannels)} are shown.
      </p>
    )}
  </section>
);
