import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import { useOutcome } from '../data/use-outcome.ts';
import type { RecordingView } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { Empty } from '../parts/empty.tsx';
import { Failure } from '../parts/failure.tsx';
import { age, count } from '../parts/format.ts';
import { OutcomeLine } from '../parts/outcome-line.tsx';
import { ACTIONS, Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 2000;
const LENGTHS: readonly (readonly [seconds: number, title: string])[] = [
  [60, 'a minute'],
  [600, '10 minutes'],
  [3600, 'an hour'],
];
/** What socket ids look like. */
const SOCKET_ID = /^\d+\.\d+$/;

/** What is recorded of the connections of a user or socket id, step by step. */
export const RecordingsView: FunctionComponent = () => {
  const { value: recordings, failure, ask } = useAnswer(api.recordings, REFRESH_MS);
  const { outcome, run } = useOutcome(ask);
  const start = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const who = String(form.get('who')).trim();
    const target = SOCKET_ID.test(who) ? { socket_id: who } : { user_id: who };
    run(api.record({ ...target, seconds: Number(form.get('seconds')) }).then(() => 'The recording goes on.'));
  };
  return (
    <section class={failure ? 'panel stale' : 'panel'}>
      <div class="tools">
        <h2>Recordings</h2>
      </div>
      <form class="actions" onSubmit={start}>
        <label class="inline">
          User or socket id
          <input type="search" name="who" required spellcheck={false} autocomplete="off" />
        </label>
        <label class="inline">
          for
          <select name="seconds" defaultValue="600">
            {LENGTHS.map(([seconds, title]) => (
              <option key={seconds} value={seconds}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <button type="submit">Record</button>
      </form>
      <OutcomeLine outcome={outcome} />
      <Failure failure={failure} />
      {recordings?.length === 0 && (
        <Empty title="Nothing is recorded">
          A recording keeps every step of the protocol in order, on all connections of one user or on one
          connection: frames in and out, grants, refusals and the close. It has no payloads and no secrets,
          and ends by itself.
        </Empty>
      )}
      {recordings && recordings.length > 0 && (
        <List
          recordings={recordings}
          onForget={(id) => run(api.forgetRecording(id).then(() => 'The recording is forgotten.'))}
        />
      )}
    </section>
  );
};

const List: FunctionComponent<{
  recordings: readonly RecordingView[];
  onForget: (id: string) => void;
}> = ({ recordings, onForget }) => (
  <Table name="Recordings" columns={['Of', 'State', { number: 'Steps' }, ACTIONS]}>
    {recordings.map(({ id, user_id: user, socket_id: socket, goes_on: goesOn, ends_at: end, steps }) => (
      <tr key={id}>
        <th scope="row">
          <a href={addressOf('recordings', id)}>
            {user === undefined ? 'socket ' : 'user '}
            <Untrusted text={user ?? socket ?? ''} />
          </a>
        </th>
        <td>
          {goesOn ? (
            <span class="pill good">ends in {age(end * 1000 - Date.now())}</span>
          ) : (
            <span class="pill">ended</span>
          )}
        </td>
        <td class="number">{count(steps)}</td>
        <td class="actions">
          <button type="button" class="danger" onClick={() => onForget(id)}>
            {goesOn ? 'Stop and forget' : 'Forget'}
          </button>
        </td>
      </tr>
    ))}
  </Table>
);
