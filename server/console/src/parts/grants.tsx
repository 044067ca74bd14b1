import type { FunctionComponent } from 'preact';
import type { AccessAnswer } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { age, countOf } from './format.ts';
import { ChannelLink, SocketLink, UserLink } from './links.tsx';
import { ACTIONS, Table } from './table.tsx';
import { Untrusted } from './untrusted.tsx';

type Held = AccessAnswer['subscriptions'][number];

/** Grants that are shown: the first page of the answer. */
const SHOWN = 100;

/**
 * Who holds what, and until when.
 *
 * @param by what tells one from the others: the page is that of a user, or that of a channel
 * @param onRevoke takes a target of a revocation
 */
export const Grants: FunctionComponent<{
  held: AccessAnswer['subscriptions'];
  by: 'channel' | 'user';
  onRevoke: (target: object) => void;
}> = ({ held, by, onRevoke }) =>
  held.length === 0 ? (
    <p class="quiet">No grant of a private or presence channel.</p>
  ) : (
    <>
      <Table
        name="Grants"
        columns={[
          by === 'channel' ? 'Channel' : 'User',
          'Connection',
          'Key',
          'May',
          { number: 'Ends' },
          ACTIONS,
        ]}
      >
        {held.map((each) => (
          <Row key={`${each.channel} ${each.socket_id}`} held={each} by={by} onRevoke={onRevoke} />
        ))}
      </Table>
      {held.length >= SHOWN && <p class="quiet">The first {countOf(SHOWN, 'grant')} are shown.</p>}
    </>
  );

const Row: FunctionComponent<{ held: Held; by: 'channel' | 'user'; onRevoke: (target: object) => void }> = ({
  held: { socket_id: socket, user_id: user, channel, grant },
  by,
  onRevoke,
}) => (
  <tr>
    <th scope="row">
      {by === 'channel' ? <ChannelLink name={channel} /> : user !== null && <UserLink id={user} />}
    </th>
    <td>
      <SocketLink id={socket} />
    </td>
    <td>{grant.key !== null && <Untrusted text={grant.key} />}</td>
    <td>{grant.may.join(', ')}</td>
    <td class="number">
      {grant.expires_at === null ? 'with the connection' : `in ${age(grant.expires_at * 1000 - Date.now())}`}
    </td>
    <td class="actions">
      {grant.id !== null && (
        <a href={`${addressOf('audit')}?grant_id=${encodeURIComponent(grant.id)}`}>Log</a>
      )}
      <button type="button" class="danger" onClick={() => onRevoke({ socket_id: socket, channel })}>
        Revoke
      </button>
    </td>
  </tr>
);
