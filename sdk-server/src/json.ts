import { ArgumentError, type ArgumentErrorCode } from './errors.ts';

/** A JSON object: neither null nor an array. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is an object that is neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Returns the JSON text of a value.
 *
 * @throws ArgumentError with `code` if the value has no JSON: undefined, a function, a bigint, a cycle
 */
export function toJson(value: unknown, code: ArgumentErrorCode, what: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new ArgumentError(code, `${what} cannot be written as JSON`, { cause });
  }
  if (text === undefined) throw new ArgumentError(code, `${what} must be a value that JSON can represent`);
  return text;
}
