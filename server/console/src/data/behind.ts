import type { ChannelHistory } from './wire.ts';

/**
 * How many events of the history a subscriber has not been sent.
 *
 * @param position of the last event that it was sent
 * @param newest the last one that its node has delivered
 * @returns `undefined`: more than the page knows
 */
export function eventsBehind(
  position: string,
  newest: string | undefined,
  { events, position: last }: ChannelHistory,
): number | undefined {
  if (position === newest || position === last) return 0;
  const index = events.findIndex((event) => event.position === position);
  return index < 0 ? undefined : index;
}
