import type { Logger } from 'pino';
import { type Grant, userOf } from '../../access/grant.ts';
import type { Adapter } from '../../adapter/adapter.ts';
import { severityOf } from '../../errors.ts';
import type { LastPosition } from '../../history/last-positions.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';
import type { Subscription } from '../subscription.ts';
import type { Resume } from './replay.ts';

/**
 * Lets clients that know no positions come back: their grant names the connection that they had before, of which the broker
 * knows how far it had got.
 */
export class PreviousConnections {
  readonly #adapter: Adapter;
  readonly #log: Logger;

  constructor(adapter: Adapter, log: Logger) {
    this.#adapter = adapter;
    this.#log = log;
  }

  /** A connection ends: notes how far it had got in a channel, if the channel has a history. */
  async ended(local: LocalChannel, subscriber: Subscriber, subscription: Subscription): Promise<void> {
    const { app, channel } = local;
    const rule = app.historyOf(channel.name);
    const last = rule && lastPositionOf(local, subscriber, subscription);
    if (!last) return;
    const { socketId } = subscriber;
    try {
      await this.#adapter.lastPositions.note(app.id, channel.name, socketId, last, rule.seconds);
    } catch (error) {
      this.#log[severityOf(error)](
        { err: error, appId: app.id, channel: channel.name, socketId },
        'failed to note how far a connection had got',
      );
    }
  }

  /** Where the client was that the grant lets in; `undefined` if the grant names no connection that it had. */
  async resumeOf(local: LocalChannel, subscriber: Subscriber, grant: Grant): Promise<Resume | undefined> {
    const previous = grant.claims?.previousSocketId;
    if (previous === undefined || subscriber.isCapable) return undefined;
    const last = await this.#find(local, previous);
    const isSameUser = last?.userId === userIn(grant, subscriber);
    return { after: isSameUser ? last?.position : undefined, without: previous };
  }

  async #find(local: LocalChannel, socketId: string): Promise<LastPosition | undefined> {
    const { app, channel } = local;
    if (!app.historyOf(channel.name)) return undefined;
    // A client notices sooner than the broker that its connection is broken.
    for (const [subscriber, subscription] of local.all()) {
      if (subscriber.socketId === socketId) return lastPositionOf(local, subscriber, subscription);
    }
    return this.#adapter.lastPositions.find(app.id, channel.name, socketId);
  }
}

/** How far a connection has got; `undefined` if it knows positions itself, or the channel had no history when it joined. */
function lastPositionOf(
  local: LocalChannel,
  subscriber: Subscriber,
  { owed, grant }: Subscription,
): LastPosition | undefined {
  if (!owed) return undefined;
  const position = local.trail?.positionAt(subscriber.arrivedUntil, owed) ?? owed.position;
  return { position, userId: userIn(grant, subscriber) };
}

function userIn(grant: Grant, { userId }: Subscriber): string | undefined {
  return userOf(grant) ?? userId;
}
