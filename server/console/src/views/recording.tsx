import type { FunctionComponent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import { useOutcome } from '../data/use-outcome.ts';
import type { StepView } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { Empty } from '../parts/empty.tsx';
import { Failure } from '../parts/failure.tsx';
import { age, count, countOf } from '../parts/format.ts';
import { SocketLink } from '../parts/links.tsx';
import { OutcomeLine } from '../parts/outcome-line.tsx';
import { Paging } from '../parts/paging.tsx';
import { Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 2000;

/** One recording: the steps of the protocol in order, with the time between two of them. */
export const RecordingView: FunctionComponent<{ id: string }> = ({ id }) => {
  const [cursor, setCursor] = useState('');
  const question = useCallback(() => api.recording(id, cursor), [id, cursor]);
  const { value: page, failure } = useAnswer(question, REFRESH_MS);
  const { outcome, run } = useOutcome(() => location.assign(addressOf('recordings')));
  const forget = () => run(api.forgetRecording(id).then(() => 'The recording is forgotten.'));
  const of = page && (page.recording.user_id ?? page.recording.socket_id ?? '');
  return (
    <section class={failure ? 'panel stale' : 'panel'}>
      <div class="tools">
        <h2>{of === undefined ? 'Recording' : <Untrusted text={of} />}</h2>
        {page && <State page={page} />}
        <p class="end actions">
          <button type="button" class="danger" onClick={forget}>
            {page?.recording.goes_on ? 'Stop and forget' : 'Forget'}
          </button>
          <a href={addressOf('recordings')}>All recordings</a>
        </p>
      </div>
      <OutcomeLine outcome={outcome} />
      <Failure failure={failure} />
      {page?.pending && (
        <p class="error">Not answered by {page.pending.join(', ')}: their steps are missing.</p>
      )}
      {page?.steps.length === 0 && (
        <Empty title="No step yet">
          Steps appear as soon as a connection of this user or socket id does something.
        </Empty>
      )}
      {page && page.steps.length > 0 && <Steps steps={page.steps} />}
      <Paging cursor={cursor} next={page?.cursor} onCursor={setCursor} />
    </section>
  );
};

const State: FunctionComponent<{ page: Awaited<ReturnType<typeof api.recording>> }> = ({
  page: {
    recording: { goes_on: goesOn, ends_at: end, steps, dropped },
  },
}) => (
  <p class="quiet">
    {goesOn ? (
      <span class="pill good">ends in {age(end * 1000 - Date.now())}</span>
    ) : (
      <span class="pill">ended</span>
    )}{' '}
    {countOf(steps, 'step')}
    {dropped > 0 && `, and ${count(dropped)} older ones that had to go`}
  </p>
);

const Steps: FunctionComponent<{ steps: readonly StepView[] }> = ({ steps }) => (
  <Table
    name="Steps"
    columns={[
      'Time',
      { number: 'After' },
      'Connection',
      'Step',
      'Event or code',
      'Channel',
      { number: 'Bytes' },
    ]}
    class="log"
  >
    {steps.map((step, index) => (
      <tr key={index}>
        <td>
          <time dateTime={new Date(step.at_ms).toISOString()}>{clock.format(step.at_ms)}</time>
        </td>
        <td class="number">{since(step.at_ms, steps[index - 1]?.at_ms)}</td>
        <td>
          <SocketLink id={step.socket_id} />
        </td>
        <th scope="row">
          <span class={`dot ${dotOf(step.step)}`} /> {step.step.replaceAll('_', ' ')}
        </th>
        <td>
          <Untrusted text={[step.event, step.code, step.reason, step.user_id].filter(Boolean).join(' · ')} />
        </td>
        <td>{step.channel !== undefined && <Untrusted text={step.channel} />}</td>
        <td class="number">{step.bytes}</td>
      </tr>
    ))}
  </Table>
);

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

/** The time since the step before; clocks of nodes differ, so that it can be negative. */
function since(at: number, before: number | undefined): string {
  return before === undefined ? '' : `${count(at - before)} ms`;
}

function dotOf(step: StepView['step']): string {
  if (step.endsWith('_refused') || step === 'expelled' || step === 'subscription_ended') return 'refusal';
  if (step === 'received') return 'client';
  if (step === 'sent') return 'publish';
  return step === 'subscribed' || step === 'signed_in' || step === 'renewed' ? 'join' : '';
}
