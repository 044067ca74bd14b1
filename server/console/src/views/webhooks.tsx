import type { FunctionComponent } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import type { DeliveryState, DeliveryView, HookView } from '../data/wire.ts';
import { Empty } from '../parts/empty.tsx';
import { Failure } from '../parts/failure.tsx';
import { count, timeOf } from '../parts/format.ts';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 2000;
const STATES = ['pending', 'failing', 'dead'] as const satisfies readonly DeliveryState[];

/** The webhooks of the app, and the deliveries that have not arrived. */
export const WebhooksView: FunctionComponent = () => {
  const { value: webhooks, failure, ask } = useAnswer(api.webhooks, REFRESH_MS);
  return (
    <>
      <h2>Webhooks</h2>
      <Failure failure={failure} />
      {webhooks?.length === 0 && (
        <section class="panel">
          <Empty title="This app has no webhooks">
            Add <code>webhooks</code> to the app in the configuration, with a <code>url</code> and the{' '}
            <code>events</code> that your backend wants, such as channel_occupied or member_added.
          </Empty>
        </section>
      )}
      {webhooks?.map((webhook) => (
        <HookPanel key={webhook.id} hook={webhook} isStale={failure !== undefined} onChange={ask} />
      ))}
    </>
  );
};

const HookPanel: FunctionComponent<{ hook: HookView; isStale: boolean; onChange: () => void }> = ({
  hook,
  isStale,
  onChange,
}) => {
  const { id, url, events, state, deliveries } = hook;
  const [open, setOpen] = useState<DeliveryState>();
  const [error, setError] = useState<string>();
  const run = (change: Promise<unknown>) => {
    change.then(
      () => {
        setError(undefined);
        onChange();
      },
      (failure: unknown) => setError(failure instanceof Error ? failure.message : String(failure)),
    );
  };
  const isActive = state === 'active';
  return (
    <section class={isStale ? 'panel stale' : 'panel'} aria-label={`Webhook ${id}`}>
      <div class="tools">
        <h3>
          <Untrusted text={url} />
        </h3>
        <p class={isActive ? 'quiet' : 'error'}>{state}</p>
        <p class="end actions">
          <button
            type="button"
            class="plain"
            onClick={() => run(api.changeHook(id, isActive ? 'pause' : 'resume'))}
          >
            {isActive ? 'Pause' : 'Resume'}
          </button>
          <button type="button" class="plain" onClick={() => run(api.changeHook(id, 'test'))}>
            Send a test
          </button>
        </p>
      </div>
      <p class="quiet">{events.join(', ')}</p>
      <p class="actions">
        {STATES.map((each) => (
          <button
            key={each}
            type="button"
            class="plain count"
            aria-expanded={open === each}
            onClick={() => setOpen(open === each ? undefined : each)}
          >
            <strong>{count(deliveries[each])}</strong> {each}
          </button>
        ))}
      </p>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {open && <Deliveries hook={id} state={open} run={run} />}
    </section>
  );
};

const Deliveries: FunctionComponent<{
  hook: string;
  state: DeliveryState;
  run: (change: Promise<unknown>) => void;
}> = ({ hook, state, run }) => {
  const question = useCallback(() => api.deliveries(hook, state), [hook, state]);
  const { value: deliveries, failure, ask } = useAnswer(question, REFRESH_MS);
  if (!deliveries) return <Failure failure={failure} />;
  if (deliveries.length === 0) return <p class="quiet">No {state} deliveries.</p>;
  const change = (verb: 'retry' | 'skip', which: object) =>
    run(api.changeDeliveries(hook, verb, which).then(ask));
  const [retry, retryAll] = state === 'dead' ? ['Replay', 'Replay all'] : ['Send now', 'Send all now'];
  return (
    <>
      <Failure failure={failure} />
      <p class="actions">
        <button type="button" onClick={() => change('retry', { state })}>
          {retryAll}
        </button>
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Since</th>
            <th scope="col">Channel or user</th>
            <th scope="col">Events</th>
            <th scope="col" class="number">
              Tries
            </th>
            <th scope="col">Last answer</th>
            <th scope="col">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <tr key={delivery.id}>
              <td>{timeOf(delivery.committed_at)}</td>
              <th scope="row">
                <Untrusted text={delivery.lane} />
              </th>
              <td>{delivery.events.map(({ name }) => name).join(', ')}</td>
              <td class="number">{delivery.tries}</td>
              <td>
                <Untrusted text={lastAnswer(delivery)} />
              </td>
              <td class="actions">
                <button
                  type="button"
                  class="plain"
                  onClick={() => change('retry', { deliveries: [delivery.id] })}
                >
                  {retry}
                </button>
                <button
                  type="button"
                  class="plain"
                  onClick={() => change('skip', { deliveries: [delivery.id] })}
                >
                  Skip
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
};

function lastAnswer({ attempts }: DeliveryView): string {
  const last = attempts.at(-1);
  return last ? `${last.status ?? 'no answer:'} ${last.answer}` : '';
}
