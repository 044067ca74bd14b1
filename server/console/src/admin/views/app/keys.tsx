import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import { useOutcome } from '../../../data/use-outcome.ts';
import { Confirm, type Question } from '../../../parts/confirm.tsx';
import { age, momentOf } from '../../../parts/format.ts';
import { OutcomeLine } from '../../../parts/outcome-line.tsx';
import { ACTIONS, Table } from '../../../parts/table.tsx';
import { Untrusted } from '../../../parts/untrusted.tsx';
import { admin } from '../../data/admin-api.ts';
import type { KeyView, NewKey } from '../../data/wire.ts';
import { ShownOnce } from '../../parts/shown-once.tsx';
import type { PartProps } from './part.ts';

/** A key that another one replaces. */
interface Rotation {
  readonly from: string;
  readonly to: string;
}

/** The keys of an app: who still uses them, made, rotated and revoked. */
export const KeysPart: FunctionComponent<PartProps> = ({ app, writable, onChanged }) => {
  const { outcome, run } = useOutcome(onChanged);
  const [made, setMade] = useState<NewKey>();
  const [rotation, setRotation] = useState<Rotation>();
  const [question, setQuestion] = useState<Question>();
  const make = async (body: object, says: (key: string) => string) => {
    const key = await admin.makeKey(app.id, body);
    setMade(key);
    return { key, text: says(key.key) };
  };
  const rotate = async ({ key: from, scopes }: KeyView) => {
    const { key, text } = await make(scopes ? { scopes } : {}, (to) => `Made ${to}, which replaces ${from}.`);
    setRotation({ from, to: key.key });
    return text;
  };
  const revoke = ({ key, last_used_at: usedAt }: KeyView) =>
    setQuestion({
      title: `Revoke ${key}?`,
      text: `It was last used ${usedText(usedAt)}. Its connections close, what it signed ends, and it is never valid again.`,
      verb: 'Revoke',
      run: () => {
        run(admin.changeKey(app.id, key, { state: 'revoked' }).then(() => `Revoked ${key}.`));
        setRotation(undefined);
      },
    });
  const remove = ({ key }: KeyView) =>
    setQuestion({
      title: `Delete ${key}?`,
      text: 'Nothing of it is left.',
      verb: 'Delete',
      run: () => run(admin.deleteKey(app.id, key).then(() => `Deleted ${key}.`)),
    });
  return (
    <section class="panel">
      <div class="tools">
        <h3>Keys</h3>
        {writable && (
          <p class="end actions">
            <button
              type="button"
              onClick={() => run(make({}, (key) => `Made ${key}.`).then(({ text }) => text))}
            >
              New key
            </button>
            <button
              type="button"
              class="plain"
              onClick={() => run(make({ client: true }, (key) => `Made ${key}.`).then(({ text }) => text))}
            >
              New client key
            </button>
          </p>
        )}
      </div>
      <OutcomeLine outcome={outcome} />
      {made?.secret !== undefined && (
        <ShownOnce key={made.key} what={`Secret of ${made.key}.`} secret={made.secret} />
      )}
      {rotation && <RotationSteps rotation={rotation} keys={app.keys} />}
      <Table
        name="Keys"
        class="named"
        columns={[
          'Key',
          'State',
          'May',
          'Last used',
          'Made',
          'Ends',
          ...(writable ? ([ACTIONS] as const) : []),
        ]}
      >
        {app.keys.map((key) => (
          <tr key={key.key}>
            <th scope="row">
              <code>
                <Untrusted text={key.key} />
              </code>
            </th>
            <td>
              <KeyState state={key.state} />
            </td>
            <td>{mayText(key)}</td>
            <td>{usedText(key.last_used_at)}</td>
            <td>{key.created_at === null ? '' : momentOf(key.created_at * 1000)}</td>
            <td>{key.expires_at === null ? 'never' : momentOf(key.expires_at * 1000)}</td>
            {writable && (
              <td class="actions">
                {key.state !== 'revoked' && !key.client && (
                  <button type="button" class="plain" onClick={() => run(rotate(key))}>
                    Rotate
                  </button>
                )}
                {key.state !== 'revoked' && (
                  <button type="button" class="danger" onClick={() => revoke(key)}>
                    Revoke
                  </button>
                )}
                {key.state === 'revoked' && app.keys.length > 1 && (
                  <button type="button" class="danger" onClick={() => remove(key)}>
                    Delete
                  </button>
                )}
              </td>
            )}
          </tr>
        ))}
      </Table>
      <p class="note">
        The last use counts on all nodes since each of them started. A key whose last use stands still can be
        revoked.
      </p>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </section>
  );
};

/** What is left to do until nobody uses the old key. */
const RotationSteps: FunctionComponent<{ rotation: Rotation; keys: readonly KeyView[] }> = ({
  rotation: { from, to },
  keys,
}) => {
  const usedAt = (name: string) => keys.find(({ key }) => key === name)?.last_used_at ?? null;
  return (
    <div class="notice" role="status">
      <strong>
        {from} is being replaced by {to}.
      </strong>
      <ol class="todo">
        <li>Give the new key and its secret to your backends and clients.</li>
        <li>
          Wait until the new one is in use (last: {usedText(usedAt(to))}) and the old one is not any more
          (last: {usedText(usedAt(from))}).
        </li>
        <li>Revoke {from}.</li>
      </ol>
    </div>
  );
};

const KeyState: FunctionComponent<{ state: KeyView['state'] }> = ({ state }) => (
  <span class={`pill ${state === 'active' ? 'good' : state === 'revoked' ? 'bad' : 'warn'}`}>{state}</span>
);

function mayText({ client, scopes }: KeyView): string {
  if (client) return 'name the app';
  return scopes?.join(', ') ?? 'everything';
}

/** @param at Unix seconds */
function usedText(at: number | null): string {
  return at === null ? 'never' : `${age(Date.now() - at * 1000)} ago`;
}
