/** Checks what a broker answers, where it comes in. */
import type { z } from 'zod';
import { CommandError } from './failure.ts';

/**
 * @param what the request that was answered
 * @throws CommandError if the answer lacks what the command needs
 */
export function expected<Answer>(schema: z.ZodType<Answer>, value: unknown, what: string): Answer {
  const answer = schema.safeParse(value);
  if (answer.success) return answer.data;
  const [issue] = answer.error.issues;
  const where = issue?.path.join('.') || 'the answer';
  const why = `${what} was answered otherwise than expected, at ${where}: ${issue?.message}`;
  throw new CommandError(`${why}. Is the broker of another version?`, 'unexpected_answer');
}
