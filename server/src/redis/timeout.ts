import { Unavailable } from '../errors.ts';

/**
 * Bounds the time for which an answer is awaited.
 *
 * @throws Unavailable if it takes longer than so many milliseconds
 */
export function withTimeout<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Unavailable(`Redis has not answered within ${milliseconds} ms`));
    }, milliseconds);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
