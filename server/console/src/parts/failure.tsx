import type { FunctionComponent } from 'preact';
import type { AnswerFailure } from '../data/use-answer.ts';
import { momentOf } from './format.ts';

/** Why a request failed, and how old the data below is. */
export const Failure: FunctionComponent<{ failure: AnswerFailure | undefined }> = ({ failure }) =>
  failure && (
    <p class="error" role="alert">
      <strong>{failure.message}.</strong>{' '}
      {failure.staleSince !== undefined && `This data is from ${momentOf(failure.staleSince)}.`}
    </p>
  );
