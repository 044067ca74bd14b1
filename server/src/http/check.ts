import type { z } from 'zod';
import { ApiError } from '../errors.ts';

const EXPECTED: ReadonlyMap<string, string> = new Map([
  ['string', 'a string'],
  ['array', 'a list'],
  ['object', 'an object'],
  ['undefined', 'nothing'],
  ['number', 'a number'],
  ['int', 'a whole number'],
]);

/**
 * Checks a value from outside against a schema.
 *
 * @param at the path of the value in the body; empty for the body itself
 * @throws ApiError that names the field, what came and what was expected
 */
export function check<T>(schema: z.ZodType<T>, value: unknown, at = ''): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  // A second time, with the input in the report: that costs ten times as much, so only a refusal pays for it.
  const issue = schema.safeParse(value, { reportInput: true }).error!.issues[0]!;
  const path = [at, ...issue.path].filter((part) => part !== '').join('.');
  const expected = issue.code === 'invalid_type' ? EXPECTED.get(issue.expected) : undefined;
  throw new ApiError(
    400,
    'invalid_body',
    `"${path}" is ${describe(issue.input)}: expected ${expected ?? `another value (${issue.message})`}`,
  );
}

/** The refusal of an invalid channel name. */
export function invalidChannel(where: string, name: unknown, maxLength: number): ApiError {
  return new ApiError(
    400,
    'invalid_channel',
    `Invalid channel name in ${where}: ${describe(name)}. Expected 1 to ${maxLength} of A-Z a-z 0-9 _ - = @ , . ;`,
  );
}

/** Describes a value from outside in a few words. */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
