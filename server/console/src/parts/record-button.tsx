import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { addressOf } from '../frame/route.ts';

/** Starts a recording with the usual length, and opens it. */
export const RecordButton: FunctionComponent<{
  target: { readonly user_id: string } | { readonly socket_id: string };
}> = ({ target }) => {
  const [error, setError] = useState<string>();
  const start = () =>
    api.record(target).then(
      ({ id }) => location.assign(addressOf('recordings', id)),
      (failure: unknown) => setError(failure instanceof Error ? failure.message : String(failure)),
    );
  return (
    <>
      {error && (
        <span class="error" role="alert">
          {error}{' '}
        </span>
      )}
      <button type="button" class="plain" onClick={start}>
        Record
      </button>
    </>
  );
};
