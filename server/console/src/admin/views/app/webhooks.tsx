import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import type { WebhookEventName } from '../../../../../src/apps/hook.ts';
import { useOutcome } from '../../../data/use-outcome.ts';
import { Confirm, type Question } from '../../../parts/confirm.tsx';
import { Empty } from '../../../parts/empty.tsx';
import { momentOf } from '../../../parts/format.ts';
import { OutcomeLine } from '../../../parts/outcome-line.tsx';
import { Untrusted } from '../../../parts/untrusted.tsx';
import { admin } from '../../data/admin-api.ts';
import type { HookView } from '../../data/wire.ts';
import { ShownOnce } from '../../parts/shown-once.tsx';
import type { PartProps } from './part.ts';

const EVENTS: Readonly<Record<WebhookEventName, string>> = {
  channel_occupied: 'a channel is occupied',
  channel_vacated: 'a channel is vacated',
  member_added: 'a member joins',
  member_removed: 'a member leaves',
  client_event: 'a client event',
  cache_miss: 'a cache channel has no event',
  subscription_count: 'the number of subscriptions',
  user_online: 'a user comes online',
  user_offline: 'a user goes offline',
  grant_expired: 'a grant has expired',
  grant_revoked: 'a grant was revoked',
  quota_warning: 'a quota is nearly used up',
};
/** Seconds for which the older secret signs as well. */
const RETIRE = 86_400;

interface Made {
  readonly id: string;
  readonly secret: string;
}

/** The webhooks of an app: made, changed, and their secrets rotated. */
export const WebhooksPart: FunctionComponent<PartProps> = ({ app, writable, onChanged }) => {
  const { outcome, run } = useOutcome(onChanged);
  const [made, setMade] = useState<Made>();
  const [isNew, setNew] = useState(false);
  const [edited, setEdited] = useState<string>();
  const [question, setQuestion] = useState<Question>();
  const make = async (body: object) => {
    const hook = await admin.makeHook(app.id, body);
    if (hook.secret !== undefined) setMade({ id: hook.id, secret: hook.secret });
    setNew(false);
    return `Made ${hook.id}.`;
  };
  const change = async (id: string, body: object) => {
    await admin.changeHook(app.id, id, body);
    setEdited(undefined);
    return `Changed ${id}.`;
  };
  const rotate = async (id: string) => {
    const { secret } = await admin.addSecret(app.id, id, RETIRE);
    setMade({ id, secret });
    return `${id} has a new secret. Deliveries are signed with both for a day.`;
  };
  const remove = ({ id, url }: HookView) =>
    setQuestion({
      title: `Delete ${id}?`,
      text: `What is still to be delivered to ${url} is dropped.`,
      verb: 'Delete',
      run: () => run(admin.deleteHook(app.id, id).then(() => `Deleted ${id}.`)),
    });
  return (
    <>
      <div class="page-head">
        <h3>Webhooks</h3>
        {writable && !isNew && (
          <button type="button" class="end" onClick={() => setNew(true)}>
            New webhook
          </button>
        )}
      </div>
      <OutcomeLine outcome={outcome} />
      {made && (
        <ShownOnce key={made.secret} what={`Secret of ${made.id}, for its receiver.`} secret={made.secret} />
      )}
      {isNew && (
        <HookForm
          verb="Create the webhook"
          onSave={(body) => run(make(body))}
          onCancel={() => setNew(false)}
        />
      )}
      {app.webhooks.length === 0 && !isNew && (
        <section class="panel">
          <Empty title="This app has no webhooks">
            A webhook tells your backend what happens: who comes and goes, which channels are occupied. Its
            deliveries are in the console of the app.
          </Empty>
        </section>
      )}
      {app.webhooks.map((hook) =>
        edited === hook.id ? (
          <HookForm
            key={hook.id}
            hook={hook}
            verb="Save"
            onSave={(body) => run(change(hook.id, body))}
            onCancel={() => setEdited(undefined)}
          />
        ) : (
          <section key={hook.id} class="panel" aria-label={`Webhook ${hook.id}`}>
            <div class="tools">
              <h4>
                <Untrusted text={hook.url} />
              </h4>
              {writable && (
                <p class="end actions">
                  <button type="button" class="plain" onClick={() => setEdited(hook.id)}>
                    Change
                  </button>
                  <button type="button" class="plain" onClick={() => run(rotate(hook.id))}>
                    New secret
                  </button>
                  <button type="button" class="danger" onClick={() => remove(hook)}>
                    Delete
                  </button>
                </p>
              )}
            </div>
            <HookFacts hook={hook} />
          </section>
        ),
      )}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </>
  );
};

const HookFacts: FunctionComponent<{ hook: HookView }> = ({ hook }) => {
  const { id, events, channelPrefix, headers, secrets } = hook;
  const names = Object.keys(headers);
  return (
    <dl class="pairs">
      <dt>Id</dt>
      <dd>
        <code>{id}</code>
      </dd>
      <dt>Events</dt>
      <dd>{events.join(', ')}</dd>
      {channelPrefix !== undefined && (
        <>
          <dt>Channels</dt>
          <dd>
            <Untrusted text={`${channelPrefix}…`} />
          </dd>
        </>
      )}
      {names.length > 0 && (
        <>
          <dt>Headers</dt>
          <dd>{names.join(', ')}</dd>
        </>
      )}
      <dt>Secrets</dt>
      <dd>
        {secrets.length === 0 && 'the keys of the app sign'}
        {secrets.map(({ id, created_at: madeAt, ends_at: endsAt }) => (
          <div key={id}>
            <code>{id}</code>
            {madeAt !== null && `, made ${momentOf(madeAt * 1000)}`}
            {endsAt !== null && `, ends ${momentOf(endsAt * 1000)}`}
          </div>
        ))}
      </dd>
    </dl>
  );
};

const HookForm: FunctionComponent<{
  hook?: HookView;
  verb: string;
  onSave: (body: object) => void;
  onCancel: () => void;
}> = ({ hook, verb, onSave, onCancel }) => {
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const prefix = String(form.get('prefix')).trim();
    onSave({
      url: String(form.get('url')).trim(),
      events: form.getAll('events').map(String),
      ...((prefix !== '' || hook) && { channelPrefix: prefix === '' ? null : prefix }),
    });
  };
  return (
    <section class="panel">
      <form class="publish" onSubmit={submit}>
        <label class="wide">
          URL
          <input name="url" type="url" required defaultValue={hook?.url} placeholder="https://…" />
        </label>
        <fieldset class="wide checks">
          <legend>Events</legend>
          {Object.entries(EVENTS).map(([name, title]) => (
            <label key={name} class="check" title={title}>
              <input
                type="checkbox"
                name="events"
                value={name}
                defaultChecked={hook?.events.includes(name as WebhookEventName)}
              />
              {name}
            </label>
          ))}
        </fieldset>
        <label>
          Only channels that begin with
          <input name="prefix" defaultValue={hook?.channelPrefix} placeholder="any" spellcheck={false} />
        </label>
        <p class="actions wide">
          <button type="submit">{verb}</button>
          <button type="button" class="plain" onClick={onCancel}>
            Cancel
          </button>
        </p>
      </form>
    </section>
  );
};
