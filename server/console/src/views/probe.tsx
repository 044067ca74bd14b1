import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { useLive } from '../data/live-context.ts';
import { type Finding, runProbe } from '../data/probe.ts';
import { DiagnosisBox } from '../parts/entries/diagnosis.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const VERDICTS = { good: 'ok', bad: 'wrong', note: 'note' } as const;

/** Sends a request to an auth endpoint as a browser would, and shows what it finds. */
export const ProbeView: FunctionComponent = () => {
  const live = useLive();
  const [findings, setFindings] = useState<readonly Finding[]>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name)).trim();
    setBusy(true);
    setFindings([]);
    try {
      const probe = {
        endpoint: text('endpoint'),
        channel: text('channel'),
        authorization: text('authorization'),
        socketId: live.socketId ?? '1.1',
      };
      for await (const finding of runProbe(probe)) setFindings((before = []) => [...before, finding]);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      setFindings((before = []) => [...before, { verdict: 'bad', about: 'Probe', text: message }]);
    } finally {
      setBusy(false);
    }
  };

  return (
    <section class="panel">
      <h2>Auth probe</h2>
      <p class="quiet">
        This page requests a signature from your endpoint as a client in a page of {location.origin} would,
        cookies included, and checks the answer.
      </p>
      <form class="publish" onSubmit={submit}>
        <label class="wide">
          Endpoint
          <input name="endpoint" type="url" required placeholder="https://app.example.com/countersign/auth" />
        </label>
        <label>
          Channel
          <input name="channel" required defaultValue="private-probe" spellcheck={false} autocomplete="off" />
        </label>
        <label>
          Authorization header (optional)
          <input name="authorization" spellcheck={false} autocomplete="off" placeholder="Bearer …" />
        </label>
        <p class="wide actions">
          <button type="submit" disabled={busy}>
            Probe
          </button>
        </p>
      </form>
      {findings && (
        <table aria-label="Findings">
          <tbody>
            {findings.map(({ verdict, about, text, diagnosis }) => (
              <tr key={about}>
                <th scope="row">{about}</th>
                <td>
                  <span class={`verdict ${verdict}`}>{VERDICTS[verdict]}</span>
                </td>
                <td class="said">
                  <Untrusted text={text} />
                  {diagnosis && <DiagnosisBox diagnosis={diagnosis} />}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
};
