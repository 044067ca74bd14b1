import type { FunctionComponent } from 'preact';
import type { Outcome } from '../data/use-outcome.ts';
import { Untrusted } from './untrusted.tsx';

/** What the last change did; screen readers say it. */
export const OutcomeLine: FunctionComponent<{ outcome: Outcome | undefined }> = ({ outcome }) => (
  <p role="status" class={outcome?.failed ? 'error' : 'note'}>
    {outcome && <Untrusted text={outcome.text} />}
  </p>
);
