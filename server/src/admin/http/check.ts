/** Reads what comes in a request of the admin API by the schemas that also describe it. */
import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import { explain, mayBeShown, printPath } from '../../config/error.ts';
import { type FieldError, invalid, Problem } from './problem.ts';

const JSON_TYPE = 'application/json';
const MAX_GOT = 100;
const MAX_ERRORS = 20;

/**
 * @param at where the value stands, before the path within it
 * @throws Problem that names each wrong field, what came and what was expected
 */
export function check<T>(schema: z.ZodType<T>, value: unknown, at: readonly PropertyKey[] = []): T {
  const result = schema.safeParse(value, { error: explain, reportInput: true });
  if (result.success) return result.data;
  throw refusal(result.error.issues, at);
}

function refusal(issues: readonly z.core.$ZodIssue[], at: readonly PropertyKey[]): Problem {
  const errors = issues.flatMap((issue) => errorsOf(issue, at)).slice(0, MAX_ERRORS);
  const detail = errors.map(({ path, expected }) => `"${path}": expected ${expected}`).join('; ');
  return new Problem('invalid_request', detail.slice(0, 500), { errors });
}

function errorsOf(issue: z.core.$ZodIssue, at: readonly PropertyKey[]): FieldError[] {
  const path = [...at, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => fieldError([...path, key], undefined, 'no such field'));
  }
  return [fieldError(path, issue.input, issue.message.replace(/^expected /, ''))];
}

function fieldError(path: readonly PropertyKey[], value: unknown, expected: string): FieldError {
  const got = shown(path, value);
  return { path: printPath(path), ...(got !== undefined && { got }), expected };
}

/** A value that was sent, unless it may be a secret. */
function shown(path: readonly PropertyKey[], value: unknown): unknown {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (!mayBeShown(['apps', 0, ...path], value, true)) return undefined;
  return typeof value === 'string' ? value.slice(0, MAX_GOT) : value;
}

/**
 * Reads a query: each parameter at most once.
 *
 * @throws Problem for what the schema does not have
 */
export function readParameters(rawQuery: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(rawQuery)) {
    if (name in parameters) throw invalid(name.slice(0, MAX_GOT), 'it once');
    parameters[name] = value;
  }
  return { ...parameters };
}

/**
 * Reads a body as JSON; an empty one is an empty object.
 *
 * @param types the media types that the request may have
 */
export function readJson(
  body: Buffer,
  contentType: string | undefined,
  types: readonly string[] = [],
): unknown {
  if (body.length === 0) return {};
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const expected = [JSON_TYPE, ...types];
  if (!expected.includes(type)) {
    const got = type === '' ? 'none' : type.slice(0, MAX_GOT);
    throw new Problem(
      'unsupported_media_type',
      `Content-Type: got ${got}, expected ${expected.join(' or ')}`,
    );
  }
  try {
    if (isUtf8(body)) return JSON.parse(body.toString('utf8'));
  } catch {
    // What came is not quoted, since it may hold a secret.
  }
  throw invalid('', 'JSON in UTF-8');
}
