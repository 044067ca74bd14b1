import { ArgumentError, type ArgumentErrorCode } from './errors.ts';

/** A JSON object: neither null nor an array. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The JSON text of a value.
 *
 * @throws ArgumentError with `code` if the value has none: undefined, a function, a bigint, a cycle
 */
export function toJson(value: unknown, code: ArgumentErrorCode, what: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new ArgumentError(code, `${what} cannot be written as JSON`, { cause });
  }
  if (text === undefined) throw new ArgumentError(code, `${what} must be something that JSON can say`);
  return text;
}
