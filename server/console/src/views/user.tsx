import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import type { AccessAnswer, RevocationAnswer, RevocationsAnswer, UserConnection } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { Failure } from '../parts/failure.tsx';
import { age, countOf, momentOf } from '../parts/format.ts';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 2000;
/** How long a user can be kept out, in seconds. */
const BLOCKS: readonly (readonly [seconds: number, title: string])[] = [
  [0, 'no block'],
  [3600, 'for an hour'],
  [86_400, 'for a day'],
  [2_592_000, 'for 30 days'],
];

/** One user: where they are signed in, what they hold and until when, and how it is taken back. */
export const UserView: FunctionComponent<{ id: string }> = ({ id }) => {
  const question = useCallback(() => api.user(id), [id]);
  const { value: user, failure, ask } = useAnswer(question, REFRESH_MS);
  const [outcome, setOutcome] = useState<{ readonly text: string; readonly failed: boolean }>();
  const run = (change: Promise<string>) => {
    change.then(
      (text) => {
        setOutcome({ text, failed: false });
        ask();
      },
      (error: unknown) =>
        setOutcome({ text: error instanceof Error ? error.message : String(error), failed: true }),
    );
  };
  const revoke = (target: object, block: number) =>
    run(api.revoke({ target, action: 'disconnect', block_seconds: block }).then(told));
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    revoke({ user_id: id }, Number(new FormData(event.currentTarget).get('block')));
  };
  const freshness = failure ? 'panel stale' : 'panel';
  return (
    <>
      <section class={freshness}>
        <div class="tools">
          <h2>
            <Untrusted text={id} />
          </h2>
          <p class="end">
            <a href={addressOf('users')}>All users</a>
          </p>
        </div>
        <Failure failure={failure} />
        {user && (
          <Devices connections={user.connections} onEnd={(socket) => revoke({ socket_id: socket }, 0)} />
        )}
        <form class="actions" onSubmit={submit}>
          <button type="submit" class="danger">
            End everything
          </button>
          <label class="inline">
            Keep out
            <select name="block">
              {BLOCKS.map(([seconds, title]) => (
                <option key={seconds} value={seconds}>
                  {title}
                </option>
              ))}
            </select>
          </label>
        </form>
        <p role="status" class={outcome?.failed ? 'error' : 'note'}>
          {outcome && <Untrusted text={outcome.text} />}
        </p>
      </section>
      {user && (
        <section class={freshness}>
          <h3>Grants</h3>
          <Grants held={user.held} />
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
    // biome-ignore lint/a11y/noNoninteractiveTabindex: on a phone it scrolls sideways, by the keyboard too
    <table tabIndex={0}>
      <caption class="unseen">Devices</caption>
      <thead>
        <tr>
          <th scope="col">Connection</th>
          <th scope="col">Client</th>
          <th scope="col">Address</th>
          <th scope="col">Channels</th>
          <th scope="col" class="number">
            For
          </th>
          <th scope="col">
            <span class="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {connections.map(({ socket_id: socket, client, address, channels, age_seconds: seconds }) => (
          <tr key={socket}>
            <th scope="row">
              <a href={`${addressOf('events')}?q=${encodeURIComponent(`socket:${socket}`)}`}>
                <code>{socket}</code>
              </a>
            </th>
            <td>
              <Untrusted text={client} />
            </td>
            <td>{address}</td>
            <td>
              {channels.map((channel) => [
                <a key={channel} href={addressOf('channels', channel)}>
                  <Untrusted text={channel} />
                </a>,
                ' ',
              ])}
            </td>
            <td class="number">{age(seconds * 1000)}</td>
            <td class="actions">
              <button type="button" class="danger" onClick={() => onEnd(socket)}>
                End
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );

const Grants: FunctionComponent<{ held: AccessAnswer['subscriptions'] }> = ({ held }) =>
  held.length === 0 ? (
    <p class="quiet">Holds no grant of a private or presence channel.</p>
  ) : (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: on a phone it scrolls sideways, by the keyboard too
    <table tabIndex={0}>
      <caption class="unseen">Grants</caption>
      <thead>
        <tr>
          <th scope="col">Channel</th>
          <th scope="col">Key</th>
          <th scope="col">May</th>
          <th scope="col" class="number">
            Ends
          </th>
        </tr>
      </thead>
      <tbody>
        {held.map(({ socket_id: socket, channel, grant }) => (
          <tr key={`${channel} ${socket}`}>
            <th scope="row">
              <a href={addressOf('channels', channel)}>
                <Untrusted text={channel} />
              </a>
            </th>
            <td>{grant.key !== null && <Untrusted text={grant.key} />}</td>
            <td>{grant.may.join(', ')}</td>
            <td class="number">
              {grant.expires_at === null
                ? 'with the connection'
                : `in ${age(grant.expires_at * 1000 - Date.now())}`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
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

/** What a revocation hit. */
function told({ ended, nodes, took_ms: ms }: RevocationAnswer): string {
  const what = `${countOf(ended.subscriptions, 'subscription')} and ${countOf(ended.connections, 'connection')}`;
  return `Ended ${what}; ${nodes.acknowledged} of ${countOf(nodes.total, 'node')} confirmed in ${ms} ms.`;
}
