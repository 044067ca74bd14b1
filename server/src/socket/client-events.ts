import { userOf } from '../access/grant.ts';
import { codes, Refusal } from '../errors.ts';
import type { Position } from '../history/history.ts';
import type { Publication } from '../hub/hub.ts';
import type { Subscription } from '../hub/subscriptions/subscription.ts';
import { type Channel, readChannel } from '../protocol/channel.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { readTraceparent } from '../tracing/traceparent.ts';
import { ClientEventRate } from './rate-limits.ts';
import type { SessionContext, SessionParts } from './session-context.ts';

type ClientEvent = Extract<ClientMessage, { kind: 'clientEvent' }>;

const MAX_ID_LENGTH = 64;
/** Events of a connection that wait to be counted, as while Redis does not answer; one more is refused. */
const MAX_UNCOUNTED = 100;

/** Publishes the client events of one connection. */
export class ClientEvents {
  readonly #connection: SessionContext;
  readonly #parts: SessionParts;
  readonly #rate: ClientEventRate;
  /** For subscriptions whose grant has a rate of its own. */
  readonly #rates = new WeakMap<Subscription, ClientEventRate>();
  /** Settles when no event of a user with a rate waits to be counted: the next one waits for it, so that they stay in order. */
  #counted: Promise<unknown> = Promise.resolve();
  /** Events that wait to be counted. */
  #uncounted = 0;

  constructor(connection: SessionContext, parts: SessionParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#rate = new ClientEventRate(connection.app.limits.clientEventsPerSecond, parts.monotonic());
  }

  /**
   * Publishes one client event, or tells the client why not. One with an id is answered by an `ack` or a `nack`.
   *
   * @throws Refusal if its id or traceparent is none
   */
  publish(event: ClientEvent): void {
    const { isCapable } = this.#connection;
    const id = isCapable ? readId(event.id) : undefined;
    const traceparent = isCapable ? readCause(event.traceparent) : undefined;
    try {
      const published = this.#publish(event, traceparent);
      if (published) {
        published.then(
          (position) => this.#acknowledge(id, position),
          (error: unknown) => this.#fail(event.channel, id, error),
        );
      } else this.#acknowledge(id, undefined);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(id, error);
    }
  }

  #refuse(id: string | undefined, refusal: Refusal): void {
    this.#parts.report.channels.clientEventRefused(this.#connection);
    if (id === undefined) return this.#connection.answer(refusal);
    this.#parts.report.messageRefused(this.#connection, refusal);
    this.#connection.send(frames.nack(id, refusal.errorCode, refusal.message));
  }

  #acknowledge(id: string | undefined, position: Position | undefined): void {
    if (id !== undefined) this.#connection.send(frames.ack(id, position));
  }

  #fail(channel: string, id: string | undefined, error: unknown): void {
    if (error instanceof Refusal) return this.#refuse(id, error);
    this.#parts.report.channels.clientEventFailed(this.#connection, channel, error);
    const message = 'Client event rejected: it could not be published';
    this.#connection.send(
      id === undefined ? frames.error(null, 'unavailable', message) : frames.nack(id, 'unavailable', message),
    );
  }

  #publish(
    { name, channel: channelName, data }: ClientEvent,
    traceparent: string | undefined,
  ): Promise<Position | undefined> | undefined {
    const { app, socketId } = this.#connection;
    if (!app.clientEvents)
      throw new Refusal(null, 'client_events_off', 'Client events are turned off for this app');
    const { eventNameLength, eventDataBytes } = app.limits;
    this.#count(this.#rate, app.limits.clientEventsPerSecond);
    if (name.length > eventNameLength) {
      throw new Refusal(
        null,
        'invalid_event_name',
        `Client event rejected: its name is longer than ${eventNameLength} characters`,
      );
    }
    const { channel, subscription } = this.#targetOf(channelName);
    const rate = subscription.grant.claims?.rate;
    if (rate !== undefined) this.#count(this.#rateOf(subscription, rate), rate);
    // No text has more bytes than three for each character, so most need no counting.
    if (data.length * 3 > eventDataBytes && Buffer.byteLength(data) > eventDataBytes) {
      throw new Refusal(
        null,
        'event_too_large',
        `Client event rejected: its data is longer than ${eventDataBytes} bytes`,
      );
    }
    const { userId: member } = subscription;
    const publication = { name, data, userId: member, except: socketId, sender: socketId, traceparent };
    const { clientEventsPerSecondPerUser: userRate } = app.limits;
    const userId = userRate === null ? undefined : (userOf(subscription.grant) ?? this.#connection.userId);
    if (userRate === null || userId === undefined) return this.#send(channel, publication);
    if (this.#uncounted === MAX_UNCOUNTED) {
      this.#parts.report.boundReached('uncounted_events', { appId: app.id, socketId });
      const why = `${MAX_UNCOUNTED} others of the connection wait to be counted`;
      throw new Refusal(null, 'unavailable', `Client event rejected: ${why}`);
    }
    this.#uncounted += 1;
    const counted = this.#counted
      .then(() => this.#countOfUser(userId, userRate))
      .finally(() => {
        this.#uncounted -= 1;
      });
    this.#counted = counted.catch(() => {});
    return counted.then(() => {
      // It may have ended meanwhile.
      this.#targetOf(channelName);
      return this.#send(channel, publication);
    });
  }

  #send(channel: Channel, publication: Publication): Promise<Position | undefined> | undefined {
    const { hub, report, quotas } = this.#parts;
    const { app } = this.#connection;
    if (!quotas.allowsMessages(app, 1)) {
      const why = `the app has a quota of ${app.limits.messagesPerDay} messages a day`;
      throw new Refusal(codes.clientEventRate, 'quota_exceeded', `Client event rejected: ${why}`);
    }
    report.channels.clientEventAccepted(this.#connection);
    return hub.publish(app, channel, publication);
  }

  /**
   * The channel of a client event, and the subscription that allows it. The channel of a subscription is known, so the name is
   * parsed only to refuse others.
   *
   * @throws Refusal if the channel takes none, there is no subscription, or its grant does not allow client events
   */
  #targetOf(name: string): { readonly channel: Channel; readonly subscription: Subscription } {
    const { app } = this.#connection;
    const local = this.#parts.hub.subscriptions.channel(app, name);
    const subscription = local?.get(this.#connection);
    const channel = local && subscription ? local.channel : readChannel(name, app.limits.channelNameLength);
    if (channel?.kind !== 'private' && channel?.kind !== 'presence') {
      const allowed = 'only private and presence channels that are not encrypted take them';
      throw new Refusal(null, 'channel_not_allowed', `Client event rejected: ${allowed}`);
    }
    if (!subscription) {
      throw new Refusal(
        null,
        'not_subscribed',
        `Client event rejected: the connection is not subscribed to channel ${name}`,
      );
    }
    if (subscription.grant.claims?.mayPublish === false) {
      const why = 'the grant of the subscription does not allow client events';
      throw new Refusal(null, 'publish_not_granted', `Client event rejected: ${why}`);
    }
    return { channel, subscription };
  }

  #rateOf(subscription: Subscription, rate: number): ClientEventRate {
    const counted = this.#rates.get(subscription) ?? new ClientEventRate(rate, this.#parts.monotonic());
    this.#rates.set(subscription, counted);
    return counted;
  }

  async #countOfUser(userId: string, rate: number): Promise<void> {
    const tooMany = await this.#parts.userEvents.count(this.#connection.app.id, userId, rate);
    if (!tooMany) return;
    this.#parts.report.channels.clientEventRateExceeded(this.#connection);
    throw tooMany;
  }

  #count(counted: ClientEventRate, rate: number | null): void {
    const tooMany = counted.count(rate, this.#parts.monotonic());
    if (!tooMany) return;
    this.#parts.report.channels.clientEventRateExceeded(this.#connection);
    throw tooMany;
  }
}

/** @throws Refusal if it is no id */
function readId(id: unknown): string | undefined {
  if (id === undefined) return undefined;
  if (typeof id === 'string' && id.length >= 1 && id.length <= MAX_ID_LENGTH) return id;
  const expected = `"id" must be a string of 1 to ${MAX_ID_LENGTH} characters`;
  throw new Refusal(null, 'invalid_message', `Client event rejected: ${expected}`);
}

/** @throws Refusal if it is no traceparent */
function readCause(value: unknown): string | undefined {
  const traceparent = readTraceparent(value);
  if (traceparent !== undefined || value === undefined) return traceparent;
  const expected = '"traceparent" must be one of W3C Trace Context, version 00';
  throw new Refusal(null, 'invalid_message', `Client event rejected: ${expected}`);
}
