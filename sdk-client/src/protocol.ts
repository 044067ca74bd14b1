/** The words of the wire, seen from the client. */

/** One event from the broker. */
export interface Message {
  readonly event: string;
  readonly channel?: string;
  /** Parsed if it was JSON text; other text as it is. */
  readonly data: unknown;
  /** Who sent a client event on a presence channel; the broker vouches for it. */
  readonly user_id?: string;
}

export const INTERNAL = 'pusher_internal:';
export const SUBSCRIPTION_SUCCEEDED = 'pusher:subscription_succeeded';
export const SUBSCRIPTION_ERROR = 'pusher:subscription_error';
export const USER_CHANNEL = '#server-to-user-';

/** Whether the name belongs to the protocol and not to the app. */
export function isReserved(event: string): boolean {
  return event.startsWith('pusher:') || event.startsWith(INTERNAL);
}

/** A frame as a message; `undefined` if it is none. */
export function parse(frame: unknown): Message | undefined {
  const message = asObject(parseJson(frame));
  if (typeof message?.['event'] !== 'string') return undefined;
  return { ...(message as unknown as Message), data: parseJson(message['data']) };
}

export function encode(event: string, data: unknown, channel?: string): string {
  return JSON.stringify({ event, channel, data });
}

/** What JSON text says; anything else as it is, and so is a whole number that JavaScript would round. */
export function parseJson(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    const isRounded = /^-?\d{16,}$/.test(value) && !Number.isSafeInteger(Number(value));
    return isRounded ? value : JSON.parse(value);
  } catch {
    return value;
  }
}

/** The value, if it has fields to look at. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}
