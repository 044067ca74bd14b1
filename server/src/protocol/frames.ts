import type { ErrorCode } from '../error-codes.ts';
import type { SubscriptionRefusal } from '../errors.ts';

/** A WebSocket text frame, ready for the socket. All subscribers share it, so it must not be changed. */
export type Frame = Buffer;

/** A user in a presence channel. */
export interface Member {
  readonly userId: string;
  /** JSON of an object, as the backend wrote it. */
  readonly userInfo?: string;
}

/** What a client gets that came back with a position. */
export interface Recovery {
  readonly status: 'current' | 'replayed' | 'lost';
  /** The number of events that follow. */
  readonly count: number;
  /** Why the events are lost. */
  readonly code?: string | undefined;
}

/** What the acknowledgement of a subscription says to a capable client. */
export interface SubscriptionExtension {
  /** Unix seconds of the end of the grant, if it has one. */
  readonly expires_at?: number | undefined;
  /** Where live events go on, in a channel with a history. */
  readonly position?: string | undefined;
  readonly recovery?: Recovery | undefined;
}

/** The frames that the broker sends (docs/protocol.md). `data` is a string in all of them but `pusher:error`. */
export const frames = {
  established: (socketId: string, activityTimeout: number, isCapable: boolean): Frame => {
    // A socket id is digits and a dot, so there is nothing to escape.
    const countersign = isCapable ? ',\\"countersign\\":{\\"version\\":1}' : '';
    const data = `{\\"socket_id\\":\\"${socketId}\\",\\"activity_timeout\\":${activityTimeout}${countersign}}`;
    return encode(`{"event":"pusher:connection_established","data":"${data}"}`);
  },

  error: (code: number | null, errorCode: ErrorCode, message: string): Frame =>
    encodeJson({ event: 'pusher:error', data: { code, message, error_code: errorCode } }),

  ping: encodeJson({ event: 'pusher:ping', data: '{}' }),
  pong: encodeJson({ event: 'pusher:pong', data: '{}' }),

  /** @param extension for capable clients only */
  subscriptionSucceeded: (
    channel: string,
    members?: readonly Member[],
    extension?: SubscriptionExtension,
  ): Frame =>
    encodeEvent(
      'pusher_internal:subscription_succeeded',
      channel,
      members ? presenceData(members) : '{}',
      undefined,
      extension && fieldsOf(extension),
    ),

  /** Tells a capable client that its grant ends soon. */
  grantExpiring: (channel: string, expiresAt: number): Frame =>
    encodeEvent('countersign:grant_expiring', channel, JSON.stringify({ expires_at: expiresAt })),

  /** Tells a capable client that its grant was replaced. */
  grantRenewed: (channel: string, expiresAt: number | null): Frame =>
    encodeEvent('countersign:grant_renewed', channel, JSON.stringify({ expires_at: expiresAt })),

  /** Tells a capable client that its sign-in ends soon. */
  authenticationExpiring: (expiresAt: number): Frame =>
    encodeJson({
      event: 'countersign:authentication_expiring',
      data: JSON.stringify({ expires_at: expiresAt }),
    }),

  /** Tells a client whose connection its token made, and what it opens. */
  authenticated: (
    {
      userId,
      userInfo,
      channels,
    }: {
      readonly userId: string;
      readonly userInfo: string | undefined;
      readonly channels: ReadonlyMap<string, readonly string[]>;
    },
    expiresAt: number,
  ): Frame => {
    const info = userInfo === undefined ? '' : `,"user_info":${userInfo}`;
    const rest = JSON.stringify({ expires_at: expiresAt, channels: Object.fromEntries(channels) });
    const data = `{"user_id":${JSON.stringify(userId)}${info},${rest.slice(1)}`;
    return encodeJson({ event: 'countersign:authenticated', data });
  },

  /** The broker refuses a token. */
  authenticationFailed: (code: ErrorCode, error: string): Frame =>
    encodeJson({ event: 'countersign:authentication_failed', data: JSON.stringify({ code, error }) }),

  subscriptionError: (
    channel: string,
    { type, status, code }: Pick<SubscriptionRefusal, 'type' | 'status' | 'code'>,
    message: string,
    isRenewal = false,
  ): Frame => {
    const renewal = isRenewal ? true : undefined;
    const data = { type, error: message, status, code, renewal };
    return encodeEvent('pusher:subscription_error', channel, JSON.stringify(data));
  },

  /** An event of the application, with `data` unchanged. */
  event: encodeEvent,

  /** An event with what only clients understand that know the extensions: its place in a history, and its cause. */
  extended: (
    channel: string,
    { name, data, userId, position, traceparent }: ExtendedEvent,
    replayed: boolean,
  ): Frame => {
    const place = position === undefined ? '' : `,"position":${JSON.stringify(position)}`;
    const cause = traceparent === undefined ? '' : `,"traceparent":${JSON.stringify(traceparent)}`;
    return encodeEvent(name, channel, data, userId, `${place}${replayed ? ',"replayed":true' : ''}${cause}`);
  },

  /** Tells the page of a stock client that what it missed is lost: the client itself passes over the event. */
  recoveryLost: (channel: string, code: string): Frame =>
    encodeEvent('pusher_internal:recovery_lost', channel, JSON.stringify({ code })),

  cacheMiss: (channel: string): Frame => encodeEvent('pusher:cache_miss', channel, '{}'),

  memberAdded: (channel: string, { userId, userInfo }: Member): Frame =>
    encodeEvent(
      'pusher_internal:member_added',
      channel,
      `{"user_id":${JSON.stringify(userId)}${userInfo === undefined ? '' : `,"user_info":${userInfo}`}}`,
    ),

  memberRemoved: (channel: string, userId: string): Frame =>
    encodeEvent('pusher_internal:member_removed', channel, JSON.stringify({ user_id: userId })),

  subscriptionCount: (channel: string, count: number): Frame =>
    encodeEvent('pusher_internal:subscription_count', channel, JSON.stringify({ subscription_count: count })),

  /** Users that came online, and users that went offline. */
  watchlistEvents: (online: readonly string[], offline: readonly string[]): Frame => {
    const events = [
      { name: 'online', user_ids: online },
      { name: 'offline', user_ids: offline },
    ].filter(({ user_ids: ids }) => ids.length > 0);
    return encodeJson({ event: 'pusher_internal:watchlist_events', data: JSON.stringify({ events }) });
  },

  /** Tells a capable client that its client event is published. */
  ack: (id: string, position: string | undefined): Frame =>
    encodeJson({ event: 'countersign:ack', data: JSON.stringify({ id, position }) }),

  /** Tells a capable client that its client event is not published. */
  nack: (id: string, code: ErrorCode, error: string): Frame =>
    encodeJson({ event: 'countersign:nack', data: JSON.stringify({ id, code, error }) }),

  /** Tells a capable client why the connection closes. */
  terminated: (reason: string, code: ErrorCode): Frame =>
    encodeJson({ event: 'countersign:terminated', data: JSON.stringify({ reason, code }) }),

  signInSucceeded: (userData: string, expiresAt?: number): Frame =>
    encodeJson({
      event: 'pusher:signin_success',
      data: JSON.stringify({ user_data: userData }),
      expires_at: expiresAt,
    }),
};

function presenceData(members: readonly Member[]): string {
  const ids = members.map(({ userId }) => JSON.stringify(userId));
  const hash = members.map(({ userInfo = 'null' }, index) => `${ids[index]}:${userInfo}`);
  return `{"presence":{"count":${members.length},"ids":[${ids.join()}],"hash":{${hash.join()}}}}`;
}

interface ExtendedEvent {
  readonly name: string;
  readonly data: string;
  readonly userId?: string | undefined;
  readonly position?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** The members of an object, to be added to another one. */
function fieldsOf(object: object): string {
  const json = JSON.stringify(object);
  return json === '{}' ? '' : `,${json.slice(1, -1)}`;
}

function encodeEvent(name: string, channel: string, data: string, userId?: string, fields = ''): Frame {
  const user = userId === undefined ? '' : `,"user_id":${JSON.stringify(userId)}`;
  const head = `{"event":${JSON.stringify(name)},"channel":${JSON.stringify(channel)}`;
  return encode(`${head},"data":${JSON.stringify(data)}${user}${fields}}`);
}

function encodeJson(message: object): Frame {
  return encode(JSON.stringify(message));
}

/** Bytes of a frame without its header. */
export function payloadOf({ length }: Frame): number {
  return length - (length < 128 ? 2 : length < 65_540 ? 4 : 10);
}

/** The text of a frame. */
export function textOf(frame: Frame): string {
  return frame.toString('utf8', frame.length - payloadOf(frame));
}

/** Encodes a text as one unmasked WebSocket frame (RFC 6455, section 5.2). */
export function encode(text: string): Frame {
  const size = Buffer.byteLength(text);
  const header = size < 126 ? 2 : size < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + size);
  frame[0] = 0x81; // FIN, text
  if (header === 2) {
    frame[1] = size;
  } else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(size, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(size), 2);
  }
  frame.write(text, header);
  return frame;
}
