import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import type { DeliveryState, HookView } from '../data/wire.ts';
import { Empty } from '../parts/empty.tsx';
import { Failure } from '../parts/failure.tsx';
import { count } from '../parts/format.ts';
import { Untrusted } from '../parts/untrusted.tsx';
import { Deliveries } from './deliveries.tsx';
import { HookHealthBox } from './hook-health.tsx';

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
        <p>
          <Standing hook={hook} />
        </p>
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
      <HookHealthBox hook={id} />
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {open && <Deliveries hook={id} state={open} total={deliveries[open]} run={run} />}
    </section>
  );
};

/** Whether deliveries arrive, in one word. */
const Standing: FunctionComponent<{ hook: HookView }> = ({ hook: { state, deliveries } }) => {
  if (state !== 'active') return <span class="pill warn">{state}</span>;
  if (deliveries.failing > 0) return <span class="pill bad">failing</span>;
  return <span class="pill good">active</span>;
};
