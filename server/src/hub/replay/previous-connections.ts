import type { Logger } from 'pino';
import { type Grant, userOf } from '../../access/grant.ts';
import type { Adapter } from '../../adapter/adapter.ts';
import { NOTHING_DONE, type NodeAnswer } from '../../adapter/questions.ts';
import type { ConnectionInChannel, ReachedQuestion } from '../../adapter/reached.ts';
import { topicOf } from '../../adapter/topic.ts';
import { severityOf } from '../../errors.ts';
import type { LastPosition } from '../../history/last-positions.ts';
import { type Metrics, reached } from '../../metrics.ts';
import type { Channels } from '../channels.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';
import type { Subscription } from '../subscriptions/subscription.ts';
import { keyOf, ReachedQuestions } from './reached-questions.ts';
import type { Resume } from './replay.ts';

/**
 * Lets clients that know no positions resume: their grant names the connection that they had before, and the broker knows how
 * far that one had got.
 */
export class PreviousConnections {
  readonly #adapter: Adapter;
  readonly #channels: Channels;
  readonly #questions: ReachedQuestions;
  readonly #log: Logger;
  /** Positions of ended connections that are being stored. */
  readonly #noting = new Map<string, LastPosition>();

  constructor({
    adapter,
    channels,
    metrics,
    log,
  }: {
    readonly adapter: Adapter;
    readonly channels: Channels;
    readonly metrics: Metrics;
    readonly log: Logger;
  }) {
    this.#adapter = adapter;
    this.#channels = channels;
    this.#questions = new ReachedQuestions(adapter, () => reached(metrics, log, 'reached_questions'));
    this.#log = log;
  }

  /** A connection ends: notes how far it had got in a channel, if the channel has a history. */
  async ended(local: LocalChannel, subscriber: Subscriber, subscription: Subscription): Promise<void> {
    const { app, channel } = local;
    const rule = app.historyOf(channel.name);
    const last = rule && lastPositionOf(local, subscriber, subscription);
    if (!last) return;
    const { socketId } = subscriber;
    const key = keyOf({ appId: app.id, channel: channel.name, socketId });
    this.#noting.set(key, last);
    try {
      await this.#adapter.lastPositions.note(app.id, channel.name, socketId, last, rule.seconds);
    } catch (error) {
      this.#log[severityOf(error)](
        { err: error, appId: app.id, channel: channel.name, socketId },
        'failed to note how far a connection had got',
      );
    } finally {
      this.#noting.delete(key);
    }
  }

  /** Where the client was, by the connection that its grant names; `undefined` if the grant names none. */
  async resumeOf(local: LocalChannel, subscriber: Subscriber, grant: Grant): Promise<Resume | undefined> {
    const previous = grant.claims?.previousSocketId;
    if (previous === undefined || subscriber.isCapable) return undefined;
    const last = await this.#find(local, previous);
    const isSameUser = last?.userId === userIn(grant, subscriber);
    return { after: isSameUser ? last?.position : undefined, without: previous };
  }

  /** Answers how far connections of this process have got, also those that have just ended. */
  async answer({ connections }: ReachedQuestion): Promise<NodeAnswer> {
    const places = connections.flatMap((each) => {
      const last = this.#here(each);
      return last ? [{ ...each, ...last }] : [];
    });
    return { ...NOTHING_DONE, reached: places };
  }

  async #find({ app, channel }: LocalChannel, socketId: string): Promise<LastPosition | undefined> {
    if (!app.historyOf(channel.name)) return undefined;
    const connection = { appId: app.id, channel: channel.name, socketId };
    const kept = () => this.#adapter.lastPositions.find(app.id, channel.name, socketId);
    // A client notices sooner than the broker that its connection is broken. It may end while the others are asked.
    return (
      this.#here(connection) ?? (await kept()) ?? (await this.#questions.ask(connection)) ?? (await kept())
    );
  }

  #here(connection: ConnectionInChannel): LastPosition | undefined {
    const { appId, channel, socketId } = connection;
    const local = this.#channels.get(topicOf(appId, channel));
    const open = local?.owedTo(socketId);
    return local && open ? lastPositionOf(local, ...open) : this.#noting.get(keyOf(connection));
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
