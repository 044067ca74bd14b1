import type { PublishedOnce } from '../../adapter/adapter.ts';
import { publishAll } from '../../hub/publish-all.ts';
import type { KeyedRequest } from '../../idempotency/records.ts';
import type { PublishingCall } from '../endpoint.ts';
import { describeChannel } from '../info.ts';
import type { EventRequest } from '../requests/requests.ts';
import { begin, distinct, keyedRequest } from './idempotency.ts';

/** What became of events of which some have an idempotency key. */
export interface Outcome {
  /** Of each event, the attributes of each of its channels; `undefined` if none was asked about. */
  readonly attributes: readonly (readonly object[])[] | undefined;
  /** All of it was published before. */
  readonly isRepeated: boolean;
  /** How many events were published now, once for each channel. */
  readonly published: number;
}

type Publishing = Promise<PublishedOnce> | PublishedOnce;

/**
 * Publishes events in their order, except those that were published before under the same idempotency key.
 *
 * @throws ApiError 422 if a key was used for another event; then none is published
 * @throws Unavailable if none was published
 * @throws InDoubt if some were published, or the outcome is unknown
 */
export async function publishOnce(
  { app, hub, adapter, checkRight }: PublishingCall,
  events: readonly EventRequest[],
): Promise<Outcome> {
  const requests = events.map(keyedRequest);
  const keyed = distinct(requests);
  const answers = await begin(adapter, app, keyed);
  const isAnswered = ({ id }: KeyedRequest) => answers.has(id);

  let publishings: readonly (readonly Publishing[])[] = [];
  try {
    checkRight();
    publishings = events.map((event, index) => publish(event, requests[index]));
    await publishAll(publishings.flat());
    const asksNothing = events.every(({ info }) => info.length === 0);
    const attributes = asksNothing ? undefined : await describe();
    let published = 0;
    for (const publishing of publishings.flat()) {
      const { isNew } = publishing instanceof Promise ? await publishing : publishing;
      if (isNew) published += 1;
    }
    return { attributes, isRepeated: published === 0, published };
  } catch (error) {
    // A repeated request must not wait for an answer that will never come.
    for (const request of keyed) {
      if (request.hasAnswer && !isAnswered(request))
        adapter.idempotency.end(app.id, request.id, undefined).catch(() => {});
    }
    throw error;
  }

  function publish(event: EventRequest, request: KeyedRequest | undefined): readonly Publishing[] {
    if (!request) {
      return event.channels.map((channel) => {
        const published = hub.publish(app, channel, event);
        return published
          ? published.then((position) => ({ position, isNew: true }))
          : { position: undefined, isNew: true };
      });
    }
    if (isAnswered(request)) return [];
    const { id, fingerprint } = request;
    const once = { id, fingerprint, seconds: app.idempotencySeconds };
    return event.channels.map((channel) => hub.publishOnce(app, channel, event, once));
  }

  /** The attributes of each event, and keeps what is to be repeated. */
  async function describe(): Promise<readonly (readonly object[])[]> {
    const described = new Map<string, Promise<readonly object[]>>();
    return Promise.all(
      events.map((event, index) => {
        const request = requests[index];
        if (!request?.hasAnswer) return describeEvent(event, index);
        // The same event twice in a batch has one answer.
        const known = described.get(request.id) ?? describeKeyed(event, index, request);
        described.set(request.id, known);
        return known;
      }),
    );
  }

  async function describeKeyed(
    event: EventRequest,
    index: number,
    request: KeyedRequest,
  ): Promise<readonly object[]> {
    const answer = answers.get(request.id);
    if (answer !== undefined) return JSON.parse(answer) as readonly object[];
    const attributes = await describeEvent(event, index);
    await adapter.idempotency.end(app.id, request.id, JSON.stringify(attributes));
    return attributes;
  }

  function describeEvent({ channels, info }: EventRequest, index: number): Promise<readonly object[]> {
    return Promise.all(
      channels.map(async (channel, n) => {
        if (info.length === 0) return {};
        const published = await publishings[index]?.[n];
        return describeChannel(adapter, app, channel, info, published?.position);
      }),
    );
  }
}
