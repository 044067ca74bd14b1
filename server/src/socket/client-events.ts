import { codes, Refusal, severityOf } from '../errors.ts';
import { readChannel } from '../protocol/channel.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import type { Connection } from './connection.ts';
import type { SessionParts } from './session.ts';
import { TokenBucket } from './token-bucket.ts';

/** What one client sends to the others in its channels. */
export class ClientEvents {
  readonly #connection: Connection;
  readonly #parts: SessionParts;
  readonly #bucket: TokenBucket;

  constructor(connection: Connection, parts: SessionParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#bucket = new TokenBucket(
      connection.app.limits.clientEventsPerSecond ?? Infinity,
      parts.monotonic(),
    );
  }

  /**
   * Publishes one client event.
   *
   * @throws Refusal if that is not allowed here, or too often
   */
  publish({ name, channel: channelName, data }: Extract<ClientMessage, { kind: 'clientEvent' }>): void {
    const { app, socketId, metrics } = this.#connection;
    if (!app.clientEvents) throw new Refusal(null, 'Client events are turned off for this app');
    const { clientEventsPerSecond: rate, eventNameLength, eventDataBytes, channelNameLength } = app.limits;
    if (rate !== null && !this.#bucket.take(rate, rate, this.#parts.monotonic())) {
      metrics.rateLimitHits += 1;
      throw new Refusal(codes.clientEventRate, `Too many client events: at most ${rate} a second`);
    }
    if (name.length > eventNameLength) {
      throw new Refusal(null, `Client event rejected: its name is longer than ${eventNameLength} characters`);
    }
    const channel = readChannel(channelName, channelNameLength);
    if (channel?.kind !== 'private' && channel?.kind !== 'presence') {
      const allowed = 'only private and presence channels that are not encrypted take them';
      throw new Refusal(null, `Client event rejected: ${allowed}`);
    }
    const subscription = this.#parts.hub.subscriptions.get(app, channelName, this.#connection);
    if (!subscription) {
      throw new Refusal(
        null,
        `Client event rejected: the connection is not subscribed to channel ${channelName}`,
      );
    }
    if (Buffer.byteLength(data) > eventDataBytes) {
      throw new Refusal(null, `Client event rejected: its data is longer than ${eventDataBytes} bytes`);
    }
    metrics.clientEvents += 1;
    const publication = { name, data, userId: subscription.userId, except: socketId, sender: socketId };
    this.#parts.hub.publish(app, [channel], publication).catch((error: unknown) => {
      this.#parts.log[severityOf(error)](
        { ...this.#connection.ids, err: error, channel: channelName },
        'client event failed',
      );
      this.#connection.send(frames.error(null, 'Client event rejected: it could not be published'));
    });
  }
}
