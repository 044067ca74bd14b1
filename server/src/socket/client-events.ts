import type { Claims } from '../access/claims.ts';
import { Refusal } from '../errors.ts';
import type { Subscription } from '../hub/subscription.ts';
import { readChannel } from '../protocol/channel.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { ClientEventRate } from './rate-limits.ts';
import type { SessionContext, SessionParts } from './session-context.ts';

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
   * Publishes one client event.
   *
   * @throws Refusal if the client may not send it, or sends too many
   */
  publish({ name, channel: channelName, data }: Extract<ClientMessage, { kind: 'clientEvent' }>): void {
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
    hub.publish(app, channel, publication)?.catch((error: unknown) => {
      report.clientEventFailed(this.#connection, channelName, error);
      this.#connection.send(
        frames.error(null, 'unavailable', 'Client event rejected: it could not be published'),
      );
    });
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
