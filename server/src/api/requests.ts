import { isSocketId } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import type { App } from '../apps/app.ts';
import { ApiError } from '../errors.ts';
import { type Channel, readChannel } from '../protocol/channel.ts';
import { parseBody } from './body.ts';
import { type Attribute, readInfo } from './info.ts';

/** One event that somebody asks to publish, checked against the limits of the app. */
export interface EventRequest {
  /** Each once. */
  readonly channels: readonly Channel[];
  readonly name: string;
  /** Passed on as it came. */
  readonly data: string;
  /** The socket id that is left out. */
  readonly except: string | undefined;
  readonly info: readonly PublishAttribute[];
}

/** What a publish can tell about its channels. */
export type PublishAttribute = Exclude<Attribute, 'cache'>;
const PUBLISH_ATTRIBUTES = ['user_count', 'subscription_count'] as const satisfies readonly Attribute[];

// Lists are taken as they are and read item by item, so that the first wrong item ends the work.
const event = {
  name: z.string(),
  data: z.string(),
  socket_id: z.string().nullish(),
  info: z.string().nullish(),
};
const publishSchema = z.object({
  ...event,
  channel: z.string().nullish(),
  channels: z.array(z.unknown()).nullish(),
});
const batchSchema = z.object({ batch: z.array(z.unknown()) });
const itemSchema = z.object({ ...event, channel: z.string(), channels: z.undefined().optional() });

/**
 * Reads the body of `POST events`.
 *
 * @throws ApiError that names the field, what came and what was expected
 */
export function parsePublish(app: App, body: Buffer): EventRequest {
  const { channel, channels, ...event } = check(publishSchema, parseBody(body), '');
  if (typeof channel === 'string' && channels) {
    throw new ApiError(400, 'Give "channel" or "channels", not both');
  }
  return readEvent(app, event, typeof channel === 'string' ? [channel] : channels, '');
}

/**
 * Reads the body of `POST batch_events`: all events, or none.
 *
 * @throws ApiError that names the item and field, what came and what was expected
 */
export function parseBatch(app: App, body: Buffer): readonly EventRequest[] {
  const { batch } = check(batchSchema, parseBody(body), '');
  const { batchSize } = app.limits;
  if (batch.length > batchSize) {
    throw new ApiError(400, `"batch" holds ${batch.length} events: the allowed maximum is ${batchSize}`);
  }
  return batch.map((item, index) => {
    const { channel, ...event } = check(itemSchema, item, `batch[${index}]`);
    return readEvent(app, event, [channel], `batch[${index}].`);
  });
}

type EventFields = z.infer<z.ZodObject<typeof event>>;

function readEvent(
  app: App,
  { name, data, socket_id: socketId, info }: EventFields,
  channelNames: readonly unknown[] | null | undefined,
  at: string,
): EventRequest {
  const { eventNameLength, eventDataBytes } = app.limits;
  if (name.length === 0 || name.length > eventNameLength) {
    throw new ApiError(400, `"${at}name" has ${name.length} characters: expected 1 to ${eventNameLength}`);
  }
  if (name.startsWith('pusher:') || name.startsWith('pusher_internal:')) {
    throw new ApiError(
      400,
      `"${at}name" must not begin with pusher: or pusher_internal:, which are reserved`,
    );
  }
  // No text has more bytes than three for each character, so most need no counting.
  if (data.length * 3 > eventDataBytes && Buffer.byteLength(data) > eventDataBytes) {
    throw new ApiError(
      413,
      `The data content of this event exceeds the allowed maximum (${eventDataBytes} bytes)`,
    );
  }
  if (typeof socketId === 'string' && !isSocketId(socketId)) {
    throw new ApiError(400, `"${at}socket_id" is ${describe(socketId)}: expected digits, a dot, digits`);
  }
  const channels = readChannels(app, channelNames, at);
  if (channels.some(({ kind }) => kind === 'encrypted')) checkEncrypted(channels, data, at);
  return {
    channels,
    name,
    data,
    except: socketId ?? undefined,
    info: readInfo(info, PUBLISH_ATTRIBUTES, `${at}info`),
  };
}

function readChannels(
  app: App,
  names: readonly unknown[] | null | undefined,
  at: string,
): readonly Channel[] {
  const { channelsPerPublish, channelNameLength } = app.limits;
  if (!names)
    throw new ApiError(400, 'The channel is missing: give "channels" (a list of names) or "channel"');
  if (names.length === 0 || names.length > channelsPerPublish) {
    throw new ApiError(400, `"channels" holds ${names.length} names: expected 1 to ${channelsPerPublish}`);
  }
  const channels = new Map<string, Channel>();
  for (const name of names) {
    const channel = typeof name === 'string' ? readChannel(name, channelNameLength) : undefined;
    if (!channel)
      throw invalidChannel(`"${at}${at === '' ? 'channels' : 'channel'}"`, name, channelNameLength);
    channels.set(channel.name, channel);
  }
  return [...channels.values()];
}

/** The refusal of what is no channel name. */
export function invalidChannel(where: string, name: unknown, maxLength: number): ApiError {
  return new ApiError(
    400,
    `Invalid channel name in ${where}: ${describe(name)}. Expected 1 to ${maxLength} of A-Z a-z 0-9 _ - = @ , . ;`,
  );
}

/** Catches what was sent in the clear by mistake; what is encrypted cannot be read here. */
function checkEncrypted(channels: readonly Channel[], data: string, at: string): void {
  if (channels.length > 1) {
    throw new ApiError(
      400,
      'An event for an encrypted channel goes to that channel alone, since each has its own key',
    );
  }
  if (!isSealed(data)) {
    throw new ApiError(
      400,
      `"${at}data" must be encrypted for a private-encrypted- channel: {"nonce":BASE64_OF_24_BYTES,"ciphertext":BASE64}`,
    );
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const sealedSchema = z.object({ nonce: z.string().regex(BASE64), ciphertext: z.string().regex(BASE64) });

function isSealed(data: string): boolean {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return false;
  }
  const sealed = sealedSchema.safeParse(value).data;
  if (!sealed) return false;
  return (
    Buffer.byteLength(sealed.nonce, 'base64') === 24 && Buffer.byteLength(sealed.ciphertext, 'base64') >= 16
  );
}

const EXPECTED: ReadonlyMap<string, string> = new Map([
  ['string', 'a string'],
  ['array', 'a list'],
  ['object', 'an object'],
  ['undefined', 'nothing: use "channel"'],
]);

function check<T>(schema: z.ZodType<T>, value: unknown, at: string): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = [at, ...issue.path].filter((part) => part !== '').join('.');
  const expected = issue.code === 'invalid_type' ? EXPECTED.get(issue.expected) : undefined;
  throw new ApiError(400, `"${path}" is ${describe(issue.input)}: expected ${expected ?? 'something else'}`);
}

/** A value from outside in a few words. */
function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
