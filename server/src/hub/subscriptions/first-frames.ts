/** The first frames that a subscriber gets. */
import type { Joined } from '../../adapter/adapter.ts';
import { type Frame, frames, type Recovery } from '../../protocol/frames.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';
import type { Subscription } from './subscription.ts';

/** Sends `subscription_succeeded`. */
export function acknowledge(
  { channel }: LocalChannel,
  subscriber: Subscriber,
  { grant, term, position }: Subscription,
  joined: Joined | undefined,
  recovery?: Recovery,
): void {
  const extension = subscriber.isCapable ? { expires_at: term?.expiresAt, position, recovery } : undefined;
  subscriber.send(frames.subscriptionSucceeded(channel.name, grant.member && joined?.members, extension));
}

/** The kept event of a cache channel, or that there is none. */
export function keptFrame(channel: string, { last }: Joined, { isCapable }: Subscriber): Frame {
  if (!last) return frames.cacheMiss(channel);
  const { name, data, position } = last;
  if (!isCapable || position === undefined) return frames.event(name, channel, data);
  return frames.extended(channel, { name, data, position }, false);
}
