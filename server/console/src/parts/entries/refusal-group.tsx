import type { FunctionComponent } from 'preact';
import type { RefusalGroup } from '../../data/refusals.ts';
import { age, count, timeOf } from '../format.ts';
import { Untrusted } from '../untrusted.tsx';
import { DiagnosisBox } from './diagnosis.tsx';
import { titleOf } from './entry-text.ts';

interface GroupProps {
  readonly group: RefusalGroup;
  readonly isShown: boolean;
  readonly onToggle: () => void;
}

/** Equal refusals in one place: how many, since when, and the latest explanation. */
export const RefusalGroupBox: FunctionComponent<GroupProps> = ({ group, isShown, onToggle }) => {
  const { count: total, first, last, channel, newest, diagnosis } = group;
  return (
    <section class="group" aria-label={`${total} times ${titleOf(newest)}`}>
      <div class="tools">
        <p>
          <strong class="error">
            {count(total)} × {titleOf(newest)}
          </strong>{' '}
          {channel !== undefined && (
            <code>
              <Untrusted text={channel} />
            </code>
          )}{' '}
          {newest.path !== undefined && (
            <code>
              {newest.status} {newest.method} <Untrusted text={newest.path} />
            </code>
          )}{' '}
          <span class="note">
            since {timeOf(first)}, last {age(Date.now() - last)} ago
          </span>
        </p>
        <button type="button" class="plain end" aria-pressed={isShown} onClick={onToggle}>
          Show all
        </button>
      </div>
      {diagnosis ? (
        <DiagnosisBox diagnosis={diagnosis} />
      ) : (
        <p>
          <code>{newest.errorCode}</code> <Untrusted text={newest.reason ?? ''} />
        </p>
      )}
    </section>
  );
};
