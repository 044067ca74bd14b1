import { randomUUID } from 'node:crypto';
import type { AnyChannels, ChannelName, EventName } from '../channel-map.ts';
import { checkChannel, checkSocketId, quoted } from '../checks.ts';
import { isEncrypted, requireMasterKey, seal } from '../encryption.ts';
import { ArgumentError } from '../errors.ts';
import { isRecord, toJson } from '../json.ts';
import type { Limits, Settings } from '../options.ts';

/** Options of a publish. */
export interface TriggerParams {
  /** The connection that does not receive the event, usually the one that caused it. */
  readonly socketId?: string | undefined;
  /** The same as `socketId`, under its name on the wire. */
  readonly socket_id?: string | undefined;
  /** Attributes of the channels for the response, such as `user_count,subscription_count`. */
  readonly info?: string | readonly string[] | undefined;
  /**
   * The broker publishes one event for each key and ten minutes, however often it is asked. With a key of your own, such as
   * the id of a job, this also holds for calls after a crash. 1 to 128 characters. @default a random one
   */
  readonly idempotencyKey?: string | undefined;
  /**
   * The `traceparent` (W3C Trace Context) of what caused the event: clients of ours get it with the event. Where your process
   * is instrumented with OpenTelemetry, take it from `propagation.inject`.
   */
  readonly traceparent?: string | undefined;
}

interface EventFor<Channel extends string, Name extends string, Data> extends TriggerParams {
  readonly channel: Channel;
  readonly name: Name;
  /** Like the data of `trigger`. */
  readonly data: Data;
}

/** One event of a batch: a channel, the name of one of its events, and its data. */
export type BatchEvent<ChannelMap extends object = AnyChannels> = {
  [Channel in ChannelName<ChannelMap>]: {
    [Name in EventName<ChannelMap, Channel>]: EventFor<Channel, Name, ChannelMap[Channel][Name]>;
  }[EventName<ChannelMap, Channel>];
}[ChannelName<ChannelMap>];

/** The body of `POST events`. */
export interface EventBody {
  readonly name: string;
  readonly data: string;
  readonly channels: readonly string[];
  readonly socket_id?: string;
  readonly info?: string;
  readonly traceparent?: string;
  /** Lets a request be repeated without a second event. */
  readonly idempotency_key: string;
}

/** One item of the body of `POST batch_events`. */
export interface BatchItem extends Omit<EventBody, 'channels'> {
  readonly channel: string;
}

const MAX_IDEMPOTENCY_KEY = 128;
const RESERVED = /^pusher(_internal)?:/;
const KNOWN = new Set([
  'channel',
  'name',
  'data',
  'socketId',
  'socket_id',
  'info',
  'idempotencyKey',
  'traceparent',
]);
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Builds the body that publishes one event to channels. */
export function eventBody(
  settings: Settings,
  channels: readonly string[],
  name: string,
  data: unknown,
  params: TriggerParams,
): EventBody {
  const { limits } = settings;
  if (channels.length === 0 || channels.length > limits.channelsPerPublish) {
    const rule = `1 to ${limits.channelsPerPublish} channels, not ${channels.length}`;
    throw new ArgumentError('invalid_channel', `One event goes to ${rule}`);
  }
  for (const channel of channels) checkChannel(channel, limits);
  if (channels.length > 1 && channels.some(isEncrypted)) {
    // Each encrypted channel has its own key, so one ciphertext cannot serve two.
    throw new ArgumentError('invalid_channel', 'An event for an encrypted channel goes to that channel only');
  }
  return {
    name: checkEventName(name, limits),
    data: dataOf(settings, channels[0]!, data),
    channels,
    ...paramsOf(params),
  };
}

/** Builds the body that publishes one event to the connections of one signed-in user. */
export function userEventBody(settings: Settings, channel: string, name: string, data: unknown): EventBody {
  return {
    name: checkEventName(name, settings.limits),
    data: dataOf(settings, channel, data),
    channels: [channel],
    idempotency_key: randomUUID(),
  };
}

/** Builds the items of a batch. They are new objects: the caller's stay unchanged. */
export function batchItems(settings: Settings, events: readonly BatchEvent[]): BatchItem[] {
  const { limits } = settings;
  if (!Array.isArray(events) || events.length > limits.batchSize) {
    throw new ArgumentError('invalid_event', `A batch is an array of at most ${limits.batchSize} events`);
  }
  return events.map((event: BatchEvent) => {
    if (!isRecord(event)) throw new ArgumentError('invalid_event', 'Each event of a batch must be an object');
    const channel = checkChannel(event.channel, limits);
    return {
      channel,
      name: checkEventName(event.name, limits),
      data: dataOf(settings, channel, event.data),
      ...paramsOf(event),
    };
  });
}

/** Joins attributes with commas, as on the wire. */
export function attributesOf(info: string | readonly string[]): string {
  return typeof info === 'string' ? info : info.join(',');
}

function checkEventName(name: unknown, limits: Limits): string {
  const rule = `a string of 1 to ${limits.eventNameLength} characters that does not start with "pusher:"`;
  const isName = typeof name === 'string' && name.length > 0 && name.length <= limits.eventNameLength;
  if (isName && !RESERVED.test(name)) return name;
  throw new ArgumentError('invalid_event', `Invalid event name: ${quoted(name)}; it must be ${rule}`);
}

function checkIdempotencyKey(key: unknown): string {
  if (typeof key === 'string' && key.length >= 1 && key.length <= MAX_IDEMPOTENCY_KEY) return key;
  throw new ArgumentError(
    'invalid_event',
    `Invalid idempotencyKey: ${quoted(key)}; it must be a string of 1 to ${MAX_IDEMPOTENCY_KEY} characters`,
  );
}

function checkTraceparent(value: unknown): string {
  if (typeof value === 'string' && TRACEPARENT.test(value)) return value;
  const rule = 'it must be 00-TRACE-SPAN-FLAGS in lower-case hexadecimal';
  throw new ArgumentError('invalid_event', `Invalid traceparent: ${quoted(value)}; ${rule}`);
}

function dataOf(settings: Settings, channel: string, data: unknown): string {
  const text = isEncrypted(channel)
    ? seal(requireMasterKey(settings.masterKey), channel, toJson(data, 'invalid_data', 'Event data'))
    : typeof data === 'string' && !isScalar(data)
      ? data
      : toJson(data, 'invalid_data', 'Event data');
  const bytes = Buffer.byteLength(text);
  const limit = settings.limits.eventDataBytes;
  if (bytes <= limit) return text;
  throw new ArgumentError('too_large', `Event data has ${bytes} bytes when it is sent; ${limit} are allowed`);
}

/** Whether a client that parses this text as JSON gets a number, a boolean, null or another string. */
function isScalar(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value !== 'object' || value === null;
  } catch {
    return false;
  }
}

function paramsOf(
  params: TriggerParams,
): Pick<EventBody, 'socket_id' | 'info' | 'traceparent' | 'idempotency_key'> {
  const unknown = Object.keys(params).find((name) => !KNOWN.has(name));
  if (unknown !== undefined) {
    throw new ArgumentError('invalid_event', `An event has no field ${quoted(unknown)}`);
  }
  const socketId = params.socketId ?? params.socket_id;
  return {
    ...(socketId !== undefined && { socket_id: checkSocketId(socketId) }),
    ...(params.info !== undefined && { info: attributesOf(params.info) }),
    ...(params.traceparent !== undefined && { traceparent: checkTraceparent(params.traceparent) }),
    idempotency_key: checkIdempotencyKey(params.idempotencyKey ?? randomUUID()),
  };
}
