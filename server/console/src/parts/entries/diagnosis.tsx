import type { FunctionComponent } from 'preact';
import type { Diagnosis } from '../../data/wire.ts';
import { Untrusted } from '../untrusted.tsx';

/** The diagnosis of a proof: one sentence, and the signed text above the expected one. */
export const DiagnosisBox: FunctionComponent<{ diagnosis: Diagnosis }> = ({ diagnosis }) => {
  const { valid, summary, expected, signed, differs, key } = diagnosis;
  return (
    <div class={valid ? 'diagnosis good' : 'diagnosis'}>
      <p>
        <Untrusted text={summary} />
      </p>
      <dl>
        {signed !== undefined && (
          <>
            <dt>signed</dt>
            <dd>
              <SignedText text={signed} differs={differs} />
            </dd>
          </>
        )}
        <dt>expected</dt>
        <dd>
          <SignedText text={expected} differs={differs} />
        </dd>
        {key !== undefined && (
          <>
            <dt>by key</dt>
            <dd>
              <code>
                <Untrusted text={key} />
              </code>
            </dd>
          </>
        )}
      </dl>
    </div>
  );
};

const SignedText: FunctionComponent<{ text: string; differs: Diagnosis['differs'] }> = ({
  text,
  differs = { start: text.length, end: 0 },
}) => {
  const end = text.length - differs.end;
  const different = text.slice(differs.start, end);
  return (
    <code>
      <Untrusted text={text.slice(0, differs.start)} />
      {different && (
        <mark>
          <Untrusted text={different} />
        </mark>
      )}
      <Untrusted text={text.slice(end)} />
    </code>
  );
};
