import { useCallback, useState } from 'preact/hooks';
import { countOf } from '../parts/format.ts';
import type { RevocationAnswer } from './wire.ts';

/** What a change did, or why it failed. */
export interface Outcome {
  readonly text: string;
  readonly failed: boolean;
}

/**
 * Keeps what the last change did, to be shown beside its button.
 *
 * @param onChanged is called after a change that did not fail
 */
export function useOutcome(onChanged: () => void) {
  const [outcome, setOutcome] = useState<Outcome>();
  const run = useCallback(
    (change: Promise<string>) => {
      change.then(
        (text) => {
          setOutcome({ text, failed: false });
          onChanged();
        },
        (error: unknown) =>
          setOutcome({ text: error instanceof Error ? error.message : String(error), failed: true }),
      );
    },
    [onChanged],
  );
  return { outcome, run };
}

/** What a revocation hit. */
export function told({ ended, nodes, took_ms: ms }: RevocationAnswer): string {
  const what = `${countOf(ended.subscriptions, 'subscription')} and ${countOf(ended.connections, 'connection')}`;
  return `Ended ${what}; ${nodes.acknowledged} of ${countOf(nodes.total, 'node')} confirmed in ${ms} ms.`;
}
