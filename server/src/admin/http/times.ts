/** Times in requests of the admin API. */
import { z } from 'zod';

const ISO = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/;

/** A time in ISO 8601, in UTC unless it says otherwise; a date alone is its midnight. */
export const isoTime = z
  .string()
  .refine(
    (text) => millisecondsOf(text) !== undefined,
    'expected a time in ISO 8601, such as 2027-01-31T12:00:00Z',
  );

/** A time in whole Unix seconds or in ISO 8601. */
export const someTime = z
  .string()
  .refine((text) => secondsOf(text) !== undefined, 'expected whole Unix seconds, or a time in ISO 8601');

/** @returns Unix milliseconds; `undefined`: the text is no time in ISO 8601 */
export function millisecondsOf(text: string): number | undefined {
  const [, date, time = '00:00', zone = 'Z'] = ISO.exec(text) ?? [];
  if (date === undefined) return undefined;
  const at = Date.parse(`${date}T${time}${zone}`);
  return Number.isNaN(at) ? undefined : at;
}

/** @returns Unix seconds */
export function secondsOf(text: string): number | undefined {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  const at = millisecondsOf(text);
  return at === undefined ? undefined : Math.floor(at / 1000);
}

/** As it stands in answers: whole seconds. */
export function isoOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000Z', 'Z');
}
