import type { Claims } from '../access/claims.ts';
import { Refusal } from '../errors.ts';
import type { Position } from '../history/history.ts';
import type { Subscription } from '../hub/subscription.ts';
import { readChannel } from '../protocol/channel.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { ClientEventRate } from './rate-limits.ts';
import type { SessionContext, SessionParts } from './session-context.ts';

type ClientEvent = Extract<ClientMessage, { kind: 'clientEvent' }>;

const MAX_ID_LENGTH = 64;

/** Publishes the client events of one connection. */
export class ClientEvents {
  readonly #connection: SessionContext;
  readonly #parts: SessionParts;
  readonly #rate: ClientEventRate;
  /** For subscriptions whose grant has a rate of its own. */
  readonly #rates = new WeakMap<Subscription, ClientEventRate>();

  constructor(connection: SessionContext, parts: SessionParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#rate = new ClientEventRate(connection.app.limits.clientEventsPerSecond, parts.monotonic());
  }

  /**
   * Publishes one client event. One with an id is answered by an `ack` or a `nack`.
   *
   * @throws Refusal if the client may not send it, or sends too many, and the event has no id
   */
  publish(event: ClientEvent): void {
    const id = this.#connection.isCapable ? readId(event.id) : undefined;
    try {
      const published = this.#publish(event);
      if (published) {
        published.then(
          (position) => this.#acknowledge(id, position),
          (error: unknown) => this.#fail(event.channel, id, error),
        );
      } else this.#acknowledge(id, undefined);
    } catch (error) {
      if (id === undefined || !(error instanceof Refusal)) throw error;
      this.#parts.report.messageRefused(this.#connection, error);
      this.#connection.send(frames.nack(id, error.errorCode, error.message));
    }
  }

  #acknowledge(id: string | undefined, position: Position | undefined): void {
    if (id !== undefined) this.#connection.send(frames.ack(id, position));
  }

  #fail(channel: string, id: string | undefined, error: unknown): void {
    this.#parts.report.clientEventFailed(this.#connection, channel, error);
    const message = 'Client event rejected: it could not be published';
    this.#connection.send(
      id === undefined ? frames.error(null, 'unavailable', message) : frames.nack(id, 'unavailable', message),
    );
  }

  #publish({ name, channel: channelName, data }: ClientEvent): Promise<Position | undefined> | undefined {
    const { app, socketId } = this.#connection;
    const { hub, report } = this.#parts;
    if (!app.clientEvents)
      throw new Refusal(null, 'client_events_off', 'Client events are turned off for this app');
    const { eventNameLength, eventDataBytes, channelNameLength } = app.limits;
    this.#count(this.#rate, app.limits.clientEventsPerSecond);
    if (name.length > eventNameLength) {
      throw new Refusal(
        null,
        'invalid_event_name',
        `Client event rejected: its name is longer than ${eventNameLength} characters`,
      );
    }
    const channel = readChannel(channelName, channelNameLength);
    if (channel?.kind !== 'private' && channel?.kind !== 'presence') {
      const allowed = 'only private and presence channels that are not encrypted take them';
      throw new Refusal(null, 'channel_not_allowed', `Client event rejected: ${allowed}`);
    }
    const subscription = hub.subscriptions.get(app, channelName, this.#connection);
    if (!subscription) {
      throw new Refusal(
        null,
        'not_subscribed',
        `Client event rejected: the connection is not subscribed to channel ${channelName}`,
      );
    }
    const { claims } = subscription.grant;
    if (claims) this.#checkClaims(subscription, claims);
    if (Buffer.byteLength(data) > eventDataBytes) {
      throw new Refusal(
        null,
        'event_too_large',
        `Client event rejected: its data is longer than ${eventDataBytes} bytes`,
      );
    }
    report.clientEventAccepted(this.#connection);
    const publication = { name, data, userId: subscription.userId, except: socketId, sender: socketId };
    return hub.publish(app, channel, publication);
  }

  #checkClaims(subscription: Subscription, { mayPublish, rate }: Claims): void {
    if (!mayPublish) {
      const why = 'the grant of the subscription does not allow client events';
      throw new Refusal(null, 'publish_not_granted', `Client event rejected: ${why}`);
    }
    if (rate === undefined) return;
    const counted = this.#rates.get(subscription) ?? new ClientEventRate(rate, this.#parts.monotonic());
    this.#rates.set(subscription, counted);
    this.#count(counted, rate);
  }

  #count(counted: ClientEventRate, rate: number | null): void {
    const tooMany = counted.count(rate, this.#parts.monotonic());
    if (!tooMany) return;
    this.#parts.report.clientEventRateExceeded(this.#connection);
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
