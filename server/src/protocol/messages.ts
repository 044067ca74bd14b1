import { Refusal } from '../errors.ts';
import { memberText, NestedTooDeeply } from './json-text.ts';

/** A message from a client, parsed once. Proofs stay `unknown` until they are verified. */
export type ClientMessage =
  | { readonly kind: 'ping' }
  | { readonly kind: 'pong' }
  | {
      readonly kind: 'subscribe';
      readonly channel: string;
      readonly auth: unknown;
      readonly channelData: unknown;
      /** The position after which a client comes back, and the socket id that it had. */
      readonly after: unknown;
      readonly socketIdBefore: unknown;
    }
  | { readonly kind: 'unsubscribe'; readonly channel: string }
  | { readonly kind: 'signIn'; readonly auth: unknown; readonly userData: unknown }
  | { readonly kind: 'authenticate'; readonly token: unknown }
  | {
      readonly kind: 'clientEvent';
      readonly name: string;
      readonly channel: string;
      readonly data: string;
      /** Under which a capable client wants an answer. */
      readonly id: unknown;
      /** What caused it, as a capable client says. */
      readonly traceparent: unknown;
    };

const PING: ClientMessage = { kind: 'ping' };
const PONG: ClientMessage = { kind: 'pong' };

/** A parsed JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

/**
 * Parses one text frame.
 *
 * @throws Refusal if it is not a message of the protocol
 */
export function parseMessage(text: string): ClientMessage {
  const frame = parseObject(text);
  if (!frame)
    throw new Refusal(
      null,
      'invalid_message',
      'Invalid message: expected a JSON object with a string "event"',
    );
  const event = frame['event'];
  if (typeof event !== 'string')
    throw new Refusal(null, 'invalid_message', 'Invalid message: "event" must be a string');

  switch (event) {
    case 'pusher:ping':
      return PING;
    case 'pusher:pong':
      return PONG;
    case 'pusher:subscribe': {
      const data = readData(event, frame);
      const { auth, channel_data: channelData, after, socket_id_before: socketIdBefore } = data;
      const channel = readChannelName(event, data);
      return { kind: 'subscribe', channel, auth, channelData, after, socketIdBefore };
    }
    case 'pusher:unsubscribe':
      return { kind: 'unsubscribe', channel: readChannelName(event, readData(event, frame)) };
    case 'pusher:signin': {
      const { auth, user_data: userData } = readData(event, frame);
      return { kind: 'signIn', auth, userData };
    }
    case 'countersign:authenticate':
      return { kind: 'authenticate', token: tokenOf(frame) };
  }
  if (event.startsWith('client-')) return readClientEvent(event, frame, text);
  throw new Refusal(
    null,
    'unsupported_event',
    `Unsupported event received on socket: ${event.slice(0, 200)}`,
  );
}

/** Whatever is no token is refused as one that is malformed. */
function tokenOf({ data }: JsonObject): unknown {
  const object = typeof data === 'string' ? parseObject(data) : asObject(data);
  return object?.['token'];
}

function readClientEvent(name: string, frame: JsonObject, text: string): ClientMessage {
  const { channel, data, id, traceparent } = frame;
  if (typeof channel !== 'string' || data === undefined) {
    throw new Refusal(
      null,
      'invalid_message',
      'Invalid client event: it must contain a string "channel" and "data"',
    );
  }
  const written = typeof data === 'string' ? data : dataText(text);
  return { kind: 'clientEvent', name, channel, data: written, id, traceparent };
}

/** The text of `data`, exactly as the client wrote it. Subscribers get a string, because some clients accept nothing else. */
function dataText(frame: string): string {
  try {
    return memberText(frame, 'data') ?? '';
  } catch (error) {
    if (!(error instanceof NestedTooDeeply)) throw error;
    throw new Refusal(null, 'invalid_message', 'Invalid client event: "data" is nested too deeply');
  }
}

/** The `data` of a `pusher:` event: an object, or an object as JSON text. */
function readData(event: string, frame: JsonObject): JsonObject {
  const { data } = frame;
  const object = typeof data === 'string' ? parseObject(data) : asObject(data);
  if (!object) throw new Refusal(null, 'invalid_message', `Invalid ${event}: "data" must be an object`);
  return object;
}

function readChannelName(event: string, data: JsonObject): string {
  const { channel } = data;
  if (typeof channel !== 'string')
    throw new Refusal(null, 'invalid_message', `Invalid ${event}: "channel" must be a string`);
  return channel;
}

/** Parses a JSON object; `undefined` if the text is anything else. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The value as an object; `undefined` if it is anything else. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}
