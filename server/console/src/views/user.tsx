import type { FunctionComponent } from 'preact';
import { useCallback } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import { told, useOutcome } from '../data/use-outcome.ts';
import type { RevocationsAnswer, UserConnection } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { EndForm } from '../parts/end-form.tsx';
import { Happened } from '../parts/entries/happened.tsx';
import { Failure } from '../parts/failure.tsx';
import { age, momentOf } from '../parts/format.ts';
import { Grants } from '../parts/grants.tsx';
import { ChannelLink, SocketLink } from '../parts/links.tsx';
import { OutcomeLine } from '../parts/outcome-line.tsx';
import { RecordButton } from '../parts/record-button.tsx';
import { ACTIONS, Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 2000;
/** One user: where they are signed in, what they hold and until when, and how it is taken back. */
export const UserView: FunctionComponent<{ id: string }> = ({ id }) => {
  const question = useCallback(() => api.user(id), [id]);
  const { value: user, failure, ask } = useAnswer(question, REFRESH_MS);
  const { outcome, run } = useOutcome(ask);
  const disconnect = (target: object, block: number) =>
    run(api.revoke({ target, action: 'disconnect', block_seconds: block }).then(told));
  const freshness = failure ? 'panel stale' : 'panel';
  return (
    <>
      <section class={freshness}>
        <div class="tools">
          <h2>
            <Untrusted text={id} />
          </h2>
          <p class="end">
            <RecordButton target={{ user_id: id }} /> <a href={addressOf('users')}>All users</a>
          </p>
        </div>
        <Failure failure={failure} />
        {user && (
          <Devices connections={user.connections} onEnd={(socket) => disconnect({ socket_id: socket }, 0)} />
        )}
        <EndForm verb="End everything" onEnd={(block) => disconnect({ user_id: id }, block)} />
        <OutcomeLine outcome={outcome} />
      </section>
      {user && (
        <section class={freshness}>
          <h3>Grants</h3>
          <Grants
            held={user.held}
            by="channel"
            onRevoke={(target) => run(api.revoke({ target }).then(told))}
          />
        </section>
      )}
      {user && user.blocks.length > 0 && (
        <section class={freshness}>
          <h3>Blocks</h3>
          <ul>
            {user.blocks.map((block) => (
              <Block
                key={block.id}
                block={block}
                onLift={() => run(api.lift(block.id).then(() => 'The block is lifted.'))}
              />
            ))}
          </ul>
        </section>
      )}
      <Happened about={{ user_id: id }} />
    </>
  );
};

const Devices: FunctionComponent<{
  connections: readonly UserConnection[];
  onEnd: (socketId: string) => void;
}> = ({ connections, onEnd }) =>
  connections.length === 0 ? (
    <p class="quiet">Not signed in on any connection.</p>
  ) : (
    <Table
      name="Devices"
      columns={['Connection', 'Client', 'Address', 'Channels', { number: 'For' }, ACTIONS]}
    >
      {connections.map(({ socket_id: socket, client, address, channels, age_seconds: seconds }) => (
        <tr key={socket}>
          <th scope="row">
            <SocketLink id={socket} />
          </th>
          <td>
            <Untrusted text={client} />
          </td>
          <td>{address}</td>
          <td>{channels.map((channel) => [<ChannelLink key={channel} name={channel} />, ' '])}</td>
          <td class="number">{age(seconds * 1000)}</td>
          <td class="actions">
            <button type="button" class="danger" onClick={() => onEnd(socket)}>
              End
            </button>
          </td>
        </tr>
      ))}
    </Table>
  );

const Block: FunctionComponent<{ block: RevocationsAnswer['revocations'][number]; onLift: () => void }> = ({
  block,
  onLift,
}) => (
  <li class="actions">
    <span class="pill bad">blocked until {momentOf((block.blocked_until ?? 0) * 1000)}</span>
    <Untrusted text={block.reason} />
    <button type="button" class="plain" onClick={onLift}>
      Lift
    </button>
  </li>
);
