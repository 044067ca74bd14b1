/** Encoding and decoding of the Pusher Channels protocol. */

/** One event from the broker. */
export interface Message {
  readonly event: string;
  readonly channel?: string;
  /** The parsed value if it was JSON text; other text unchanged. */
  readonly data: unknown;
  /** The user who sent a client event on a presence channel, set by the broker. */
  readonly user_id?: string;
  /** When the grant that the broker confirms ends, in Unix seconds. */
  readonly expires_at?: number;
  /** The place of the event in the history of its channel; of a confirmation, where live events go on. */
  readonly position?: string;
  /** What became of the events that the client missed. */
  readonly recovery?: unknown;
  /** Whether the client missed the event. */
  readonly replayed?: boolean;
  /** The trace to which the event belongs. */
  readonly traceparent?: string;
}

export const INTERNAL = 'pusher_internal:';
export const SUBSCRIPTION_SUCCEEDED = 'pusher:subscription_succeeded';
export const SUBSCRIPTION_ERROR = 'pusher:subscription_error';
/** Events of the broker that only this client understands. */
export const EXTENSION = 'countersign:';
export const GRANT_RENEWED = 'countersign:grant_renewed';
export const USER_CHANNEL = '#server-to-user-';

/** Whether an event name belongs to the protocol. */
export function isReserved(event: string): boolean {
  return event.startsWith('pusher:') || event.startsWith(INTERNAL);
}

/** Parses a frame; `undefined` if it is not a message. */
export function parse(frame: unknown): Message | undefined {
  const message = asObject(parseJson(frame));
  if (typeof message?.['event'] !== 'string') return undefined;
  return { ...(message as unknown as Message), data: parseJson(message['data']) };
}

/** Encodes a frame. */
export function encode(
  event: string,
  data: unknown,
  channel?: string,
  id?: string,
  traceparent?: string,
): string {
  return JSON.stringify({ event, channel, data, id, traceparent });
}

/** Parses JSON text; returns other values, and whole numbers that JavaScript would round, unchanged. */
export function parseJson(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    const isRounded = /^-?\d{16,}$/.test(value) && !Number.isSafeInteger(Number(value));
    return isRounded ? value : JSON.parse(value);
  } catch {
    return value;
  }
}

/** Returns the value if it is an object. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}
