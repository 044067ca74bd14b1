import { DEADLINE_MS } from './deadline.ts';

const LOOK_MS = 20;

/**
 * Looks again and again until something that nobody tells of is as expected.
 *
 * @throws whatever the last look threw, at the deadline
 */
export async function eventually<T>(look: () => T | Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
