import { isSocketId } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import type { App } from '../../apps/app.ts';
import { ApiError } from '../../errors.ts';
import { parseBody } from '../../http/body.ts';
import { check, describe, invalidChannel } from '../../http/check.ts';
import { type Channel, readChannel } from '../../protocol/channel.ts';
import { TRACEPARENT } from '../../tracing/traceparent.ts';
import { type Attribute, readInfo } from '../info.ts';
import { isSealed } from './sealed.ts';

/** One event to publish, checked against the limits of the app. */
export interface EventRequest {
  /** Each once. */
  readonly channels: readonly Channel[];
  readonly name: string;
  /** Passed on as it came. */
  readonly data: string;
  /** The socket id that is left out. */
  readonly except: string | undefined;
  readonly info: readonly PublishAttribute[];
  /** Under which it is published once. */
  readonly idempotencyKey: string | undefined;
  /** The `traceparent` of what caused it, which clients that understand the extensions get. */
  readonly traceparent: string | undefined;
}

/** What a publish can answer about its channels. */
export type PublishAttribute = Exclude<Attribute, 'cache'>;
const PUBLISH_ATTRIBUTES = [
  'user_count',
  'subscription_count',
  'position',
] as const satisfies readonly Attribute[];

// Lists are taken as they are and read item by item, so that the first wrong item ends the work.
const event = {
  name: z.string(),
  data: z.string(),
  socket_id: z.string().nullish(),
  info: z.string().nullish(),
  idempotency_key: z.string().min(1).max(128).nullish(),
  traceparent: z.string().regex(TRACEPARENT).nullish(),
};
/** The body of `POST events`. */
export const publishSchema = z.object({
  ...event,
  channel: z.string().nullish(),
  channels: z.array(z.unknown()).nullish(),
});
/** The body of `POST batch_events`. */
export const batchSchema = z.object({ batch: z.array(z.unknown()) });
const itemSchema = z.object({ ...event, channel: z.string(), channels: z.undefined().optional() });

/**
 * Reads the body of `POST events`.
 *
 * @param cause the `traceparent` of events that have none of their own
 * @throws ApiError that names the field, what came and what was expected
 */
export function parsePublish(app: App, body: Buffer, cause: string | undefined): EventRequest {
  const event = check(publishSchema, parseBody(body));
  const { channel, channels } = event;
  if (typeof channel === 'string' && channels) {
    throw new ApiError(400, 'invalid_body', 'Give "channel" or "channels", not both');
  }
  const named =
    typeof channel === 'string'
      ? readChannels(app, [channel], 'channel')
      : readChannels(app, channels, 'channels');
  return readEvent(app, event, named, '', cause);
}

/**
 * Reads the body of `POST batch_events`: all events, or none.
 *
 * @param cause the `traceparent` of events that have none of their own
 * @throws ApiError that names the item and field, what came and what was expected
 */
export function parseBatch(
  app: App,
  body: Buffer,
  batchSize: number,
  cause: string | undefined,
): readonly EventRequest[] {
  const { batch } = check(batchSchema, parseBody(body));
  return readEvents(app, batch, batchSize, 'batch', cause);
}

/**
 * Reads a list of events: all, or none.
 *
 * @param field that holds the list
 * @param cause the `traceparent` of events that have none of their own
 * @throws ApiError that names the item and field, what came and what was expected
 */
export function readEvents(
  app: App,
  items: readonly unknown[],
  batchSize: number,
  field: 'batch' | 'events',
  cause: string | undefined,
): readonly EventRequest[] {
  if (items.length > batchSize) {
    throw new ApiError(
      400,
      'batch_too_large',
      `"${field}" holds ${items.length} events: the allowed maximum is ${batchSize}`,
    );
  }
  return items.map((item, index) => {
    const event = check(itemSchema, item, `${field}[${index}]`);
    const at = `${field}[${index}].`;
    return readEvent(app, event, readChannels(app, [event.channel], `${at}channel`), at, cause);
  });
}

type EventFields = z.infer<z.ZodObject<typeof event>>;

function readEvent(
  app: App,
  fields: EventFields,
  channels: readonly Channel[],
  at: string,
  cause: string | undefined,
): EventRequest {
  const { name, data, socket_id: socketId, info, idempotency_key: idempotencyKey, traceparent } = fields;
  const { eventNameLength, eventDataBytes } = app.limits;
  if (name.length === 0 || name.length > eventNameLength) {
    throw new ApiError(
      400,
      'invalid_event_name',
      `"${at}name" has ${name.length} characters: expected 1 to ${eventNameLength}`,
    );
  }
  if (name.startsWith('pusher:') || name.startsWith('pusher_internal:')) {
    throw new ApiError(
      400,
      'invalid_event_name',
      `"${at}name" must not begin with pusher: or pusher_internal:, which are reserved`,
    );
  }
  // No text has more bytes than three for each character, so most need no counting.
  if (data.length * 3 > eventDataBytes && Buffer.byteLength(data) > eventDataBytes) {
    throw new ApiError(
      413,
      'event_too_large',
      `The data content of this event exceeds the allowed maximum (${eventDataBytes} bytes)`,
    );
  }
  if (typeof socketId === 'string' && !isSocketId(socketId)) {
    throw new ApiError(
      400,
      'invalid_socket_id',
      `"${at}socket_id" is ${describe(socketId)}: expected digits, a dot, digits`,
    );
  }
  if (channels.some(({ kind }) => kind === 'encrypted')) checkEncrypted(channels, data, at);
  return {
    channels,
    name,
    data,
    except: socketId ?? undefined,
    info: readInfo(info, PUBLISH_ATTRIBUTES, `${at}info`),
    idempotencyKey: idempotencyKey ?? undefined,
    traceparent: traceparent ?? cause,
  };
}

function readChannels(
  app: App,
  names: readonly unknown[] | null | undefined,
  field: string,
): readonly Channel[] {
  const { channelsPerPublish, channelNameLength } = app.limits;
  if (!names)
    throw new ApiError(
      400,
      'invalid_body',
      'The channel is missing: give "channels" (a list of names) or "channel" (one)',
    );
  if (names.length === 0 || names.length > channelsPerPublish) {
    throw new ApiError(
      400,
      'too_many_channels',
      `"${field}" holds ${names.length} names: expected 1 to ${channelsPerPublish}`,
    );
  }
  const channels = names.map((name) => {
    const channel = typeof name === 'string' ? readChannel(name, channelNameLength) : undefined;
    if (!channel) throw invalidChannel(`"${field}"`, name, channelNameLength);
    return channel;
  });
  return channels.length === 1 ? channels : eachOnce(channels);
}

function eachOnce(channels: readonly Channel[]): readonly Channel[] {
  return [...new Map(channels.map((channel) => [channel.name, channel])).values()];
}

function checkEncrypted(channels: readonly Channel[], data: string, at: string): void {
  if (channels.length > 1) {
    throw new ApiError(
      400,
      'encrypted_not_alone',
      'An event for an encrypted channel goes to that channel alone, since each has its own key',
    );
  }
  if (!isSealed(data)) {
    throw new ApiError(
      400,
      'not_encrypted',
      `"${at}data" must be encrypted for a private-encrypted- channel: {"nonce":BASE64_OF_24_BYTES,"ciphertext":BASE64}`,
    );
  }
}
