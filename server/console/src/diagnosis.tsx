import type { FunctionComponent } from 'preact';
import type { Diagnosis } from './wire.ts';

/** What is wrong with a proof: in words, and the two texts one above the other. */
export const DiagnosisBox: FunctionComponent<{ diagnosis: Diagnosis }> = ({ diagnosis }) => {
  const { valid, summary, expected, signed, differs, key } = diagnosis;
  return (
    <div class={valid ? 'diagnosis good' : 'diagnosis'}>
      <p>{summary}</p>
      <dl>
        {signed !== undefined && (
          <>
            <dt>signed</dt>
            <dd>
              <Text text={signed} differs={differs} />
            </dd>
          </>
        )}
        <dt>expected</dt>
        <dd>
          <Text text={expected} differs={differs} />
        </dd>
        {key !== undefined && (
          <>
            <dt>by key</dt>
            <dd>
              <code>{key}</code>
            </dd>
          </>
        )}
      </dl>
    </div>
  );
};

const Text: FunctionComponent<{ text: string; differs: Diagnosis['differs'] }> = ({ text, differs }) => {
  if (!differs) return <code>{text}</code>;
  const end = text.length - differs.end;
  return (
    <code>
      {text.slice(0, differs.start)}
      <mark>{text.slice(differs.start, end)}</mark>
      {text.slice(end)}
    </code>
  );
};
