import { useCallback, useEffect, useState } from 'preact/hooks';

export interface Answer<T> {
  /** The last good answer. */
  readonly value: T | undefined;
  /** Why there is none, or none that is new. */
  readonly error: string | undefined;
  readonly ask: () => void;
}

/**
 * What the broker answers, asked for again and again while the page is visible.
 *
 * @param question asks; another function asks anew
 * @param everyMs milliseconds between two questions
 */
export function useAnswer<T>(question: () => Promise<T>, everyMs: number): Answer<T> {
  const [answer, setAnswer] = useState<{ value?: T; error?: string }>({});
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    const ask = () => {
      if (document.hidden) return;
      question().then(
        (value) => current && setAnswer({ value }),
        (error: unknown) =>
          current &&
          setAnswer((before) => ({
            ...before,
            error: error instanceof Error ? error.message : String(error),
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
  return { value: answer.value, error: answer.error, ask };
}
