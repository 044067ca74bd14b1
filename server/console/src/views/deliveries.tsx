import type { FunctionComponent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import type { DeliveryState, DeliveryView } from '../data/wire.ts';
import { Confirm, type Question } from '../parts/confirm.tsx';
import { Failure } from '../parts/failure.tsx';
import { age, countOf, momentOf, readable } from '../parts/format.ts';
import { OpeningCell } from '../parts/opening-cell.tsx';
import { ACTIONS, Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 2000;
const COLUMNS = 7;

/**
 * The deliveries of a webhook in one state, with every attempt that is kept and when the next one is due.
 *
 * @param total how many there are; only the first ones are listed
 */
export const Deliveries: FunctionComponent<{
  hook: string;
  state: DeliveryState;
  total: number;
  run: (change: Promise<unknown>) => void;
}> = ({ hook, state, total, run }) => {
  const question = useCallback(() => api.deliveries(hook, state), [hook, state]);
  const { value: deliveries, failure, ask } = useAnswer(question, REFRESH_MS);
  const [asked, setAsked] = useState<Question>();
  if (!deliveries) return <Failure failure={failure} />;
  if (deliveries.length === 0) return <p class="quiet">No {state} deliveries.</p>;
  const change = (verb: 'retry' | 'skip', which: object) =>
    run(api.changeDeliveries(hook, verb, which).then(ask));
  const [retry, retryAll] = state === 'dead' ? ['Replay', 'Replay all'] : ['Send now', 'Send all now'];
  const askRetry = (what: string, verb: string, which: object) =>
    setAsked({
      title: `${verb}: ${what}?`,
      text: 'The receiver gets the same webhook-id again. One that has handled it before must ignore it.',
      verb,
      run: () => change('retry', which),
    });
  const askSkip = ({ id, lane }: DeliveryView) =>
    setAsked({
      title: 'Skip this delivery?',
      text: (
        <>
          <Untrusted text={lane} /> goes on with what comes next, and the receiver never gets this one.
        </>
      ),
      verb: 'Skip',
      run: () => change('skip', { deliveries: [id] }),
    });
  return (
    <>
      <Failure failure={failure} />
      <p class="actions">
        <button
          type="button"
          onClick={() => askRetry(countOf(total, 'delivery', 'deliveries'), retryAll, { state })}
        >
          {retryAll}
        </button>
      </p>
      <Table
        name="Deliveries"
        columns={[
          'Since',
          'Channel or user',
          'Events',
          { number: 'Tries' },
          'Last answer',
          'Next try',
          ACTIONS,
        ]}
      >
        {deliveries.map((delivery) => (
          <Row
            key={delivery.id}
            delivery={delivery}
            retry={retry}
            onRetry={() => askRetry('1 delivery', retry, { deliveries: [delivery.id] })}
            onSkip={() => askSkip(delivery)}
          />
        ))}
      </Table>
      {asked && <Confirm question={asked} onClose={() => setAsked(undefined)} />}
    </>
  );
};

const Row: FunctionComponent<{
  delivery: DeliveryView;
  retry: string;
  onRetry: () => void;
  onSkip: () => void;
}> = ({ delivery, retry, onRetry, onSkip }) => {
  const [isOpen, setOpen] = useState(false);
  const { id, lane, events, committed_at: since, due_at: due } = delivery;
  return (
    <>
      <tr>
        <OpeningCell
          at={since}
          label={`Attempts of ${id}`}
          isOpen={isOpen}
          onToggle={() => setOpen(!isOpen)}
        />
        <th scope="row">
          <Untrusted text={lane} />
        </th>
        <td>{events.map(({ name }) => name).join(', ')}</td>
        <td class="number">{triesOf(delivery)}</td>
        <td>
          <Untrusted text={lastAnswer(delivery)} />
        </td>
        <td>{due === undefined ? 'none' : due > Date.now() ? `in ${age(due - Date.now())}` : 'now'}</td>
        <td class="actions">
          <button type="button" class="plain" onClick={onRetry}>
            {retry}
          </button>
          <button type="button" class="plain" onClick={onSkip}>
            Skip
          </button>
        </td>
      </tr>
      {isOpen && (
        <tr>
          <td colSpan={COLUMNS}>
            <Attempts delivery={delivery} />
          </td>
        </tr>
      )}
    </>
  );
};

/** What was sent, and every answer that is kept. */
const Attempts: FunctionComponent<{ delivery: DeliveryView }> = ({ delivery: { id, events, attempts } }) => (
  <div class="facts">
    <p class="note">
      webhook-id <code>{id}</code>
    </p>
    {attempts.length === 0 && <p class="quiet">Not tried yet.</p>}
    <ol aria-label="Attempts">
      {attempts.map(({ at, status, answer }) => (
        <li key={at}>
          <time dateTime={new Date(at).toISOString()}>{momentOf(at)}</time>{' '}
          <span class="pill bad">{status ?? 'no answer'}</span> <Untrusted text={answer} />
        </li>
      ))}
    </ol>
    <pre>
      <code>
        <Untrusted text={readable(JSON.stringify({ events }))} lines />
      </code>
    </pre>
  </div>
);

/** How often it was sent: the broker counts attempts towards giving up, and keeps the last ones whether they count or not. */
function triesOf({ tries, attempts }: DeliveryView): number {
  return Math.max(tries, attempts.length);
}

function lastAnswer({ attempts }: DeliveryView): string {
  const last = attempts.at(-1);
  return last ? `${last.status ?? 'no answer:'} ${last.answer}` : '';
}
