import { useCallback, useEffect, useState } from 'preact/hooks';

export interface Answer<T> {
  /** The last good answer. */
  readonly value: T | undefined;
  /** Why the last request failed, if it did. */
  readonly failure: AnswerFailure | undefined;
  readonly ask: () => void;
}

export interface AnswerFailure {
  readonly message: string;
  /** Unix milliseconds of the last good answer, which is still shown. */
  readonly staleSince: number | undefined;
}

interface State<T> {
  readonly value?: T;
  readonly at?: number;
  readonly error?: string;
}

/**
 * Polls the broker while the page is visible.
 *
 * @param question sends the request; another function is asked at once
 * @param everyMs milliseconds between two requests
 */
export function useAnswer<T>(question: () => Promise<T>, everyMs: number): Answer<T> {
  const [{ value, at, error }, setState] = useState<State<T>>({});
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    const ask = () => {
      if (document.hidden) return;
      question().then(
        (answer) => current && setState({ value: answer, at: Date.now() }),
        (failure: unknown) =>
          current &&
          setState((before) => ({
            ...before,
            error: failure instanceof Error ? failure.message : String(failure),
          })),
      );
    };
    ask();
    const timer = setInterval(ask, everyMs);
    return () => {
      current = false;
      clearInterval(timer);
    };
  }, [question, everyMs, round]);
  const ask = useCallback(() => setRound((before) => before + 1), []);
  return { value, failure: error === undefined ? undefined : { message: error, staleSince: at }, ask };
}
