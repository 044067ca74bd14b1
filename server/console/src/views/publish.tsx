import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { api, type PublishAnswer } from '../data/api.ts';
import { countOf, timeOf } from '../parts/format.ts';
import { Untrusted } from '../parts/untrusted.tsx';

interface Outcome {
  readonly text: string;
  readonly failed?: boolean;
}

/** Publishes an event, or shows the command that publishes it. */
export const PublishView: FunctionComponent<{ channel: string | undefined }> = ({ channel }) => {
  const [outcome, setOutcome] = useState<Outcome>();
  const [line, setLine] = useState<string>();

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const body = readBody(event.currentTarget);
    const wantsLine = event.submitter?.getAttribute('value') === 'curl';
    setLine(undefined);
    if (!body) return setOutcome({ text: 'The data is not valid JSON.', failed: true });
    setOutcome(undefined);
    const done = wantsLine
      ? api.curl(body).then(setLine)
      : api.publish({ ...body, info: 'subscription_count' }).then((answer) => setOutcome(outcomeOf(answer)));
    done.catch((error: unknown) =>
      setOutcome({ text: error instanceof Error ? error.message : String(error), failed: true }),
    );
  };

  return (
    <section class="panel">
      <h2>Publish</h2>
      <form class="publish" onSubmit={submit}>
        <label>
          Channel
          <input name="channel" required defaultValue={channel ?? ''} spellcheck={false} autocomplete="off" />
        </label>
        <label>
          Event
          <input name="event" required spellcheck={false} autocomplete="off" />
        </label>
        <label class="wide">
          Data (JSON)
          <textarea name="data" rows={6} spellcheck={false} defaultValue="{}" />
        </label>
        <p class="wide actions">
          <button type="submit" value="publish">
            Publish
          </button>
          <button type="submit" value="curl" class="plain">
            Show as curl
          </button>
          <output class={outcome?.failed ? 'error' : 'quiet'}>
            {outcome && <Untrusted text={outcome.text} />}
          </output>
        </p>
      </form>
      {line !== undefined && (
        <>
          <p class="quiet">
            The signature is valid for ten minutes. The command does not contain the secret.
          </p>
          <pre>
            <code>{line}</code>
          </pre>
        </>
      )}
    </section>
  );
};

/** What became of an event. */
function outcomeOf({ channels = {} }: PublishAnswer): Outcome {
  const [first] = Object.values(channels);
  const reached = first?.subscription_count;
  const at = `Published at ${timeOf(Date.now())}`;
  if (reached === undefined) return { text: `${at}.` };
  if (reached === 0) return { text: `${at}, but nobody is subscribed to this channel.`, failed: true };
  return { text: `${at} to ${countOf(reached, 'subscriber')}.` };
}

/** The body of `POST events`; `undefined` if the data is not JSON. */
function readBody(element: HTMLFormElement): object | undefined {
  const form = new FormData(element);
  const data = String(form.get('data'));
  try {
    JSON.parse(data);
  } catch {
    return undefined;
  }
  return { name: String(form.get('event')), channel: String(form.get('channel')), data };
}
