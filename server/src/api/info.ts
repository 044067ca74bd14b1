import type { Adapter, Counts } from '../adapter/adapter.ts';
import { topicOf } from '../adapter/topic.ts';
import type { App } from '../apps/app.ts';
import { ApiError } from '../errors.ts';
import type { Position } from '../history/history.ts';
import type { Channel } from '../protocol/channel.ts';

/** What can be asked about a channel. */
export type Attribute = 'user_count' | 'subscription_count' | 'cache' | 'position';

/**
 * Reads a comma list of attributes; nothing and the empty text ask for nothing.
 *
 * @param allowed the attributes that this endpoint supports
 * @throws ApiError if there is any other
 */
export function readInfo<A extends Attribute>(
  info: string | null | undefined,
  allowed: readonly A[],
  field = 'info',
): readonly A[] {
  if (!info) return [];
  const attributes = info.split(',').map((name) => {
    const attribute = allowed.find((each) => each === name);
    if (attribute) return attribute;
    throw new ApiError(
      400,
      'invalid_parameter',
      `Unknown attribute ${JSON.stringify(name.slice(0, 64))} in "${field}": use a comma list of ${allowed.join(', ')}`,
    );
  });
  return [...new Set(attributes)];
}

/** Whether an attribute exists for a channel. */
export function applies(attribute: Attribute, app: App, { name, kind, cache }: Channel): boolean {
  switch (attribute) {
    case 'position':
      return app.historyOf(name) !== undefined;
    case 'user_count':
      return kind === 'presence';
    case 'subscription_count':
      return kind !== 'user';
    case 'cache':
      return cache;
  }
}

/**
 * The attributes of one channel as an answer to a publish shows them; those that do not apply are left out.
 *
 * @param position the position of what was published
 */
export async function describeChannel(
  adapter: Adapter,
  app: App,
  channel: Channel,
  wanted: readonly Exclude<Attribute, 'cache'>[],
  position: Position | undefined,
): Promise<object> {
  const attributes = wanted.filter((attribute) => applies(attribute, app, channel));
  const positions = attributes.includes('position') && position !== undefined ? { position } : {};
  if (attributes.every((attribute) => attribute === 'position')) return positions;
  const counts = await adapter.roster.counts(topicOf(app.id, channel.name));
  return { ...describeCounts(counts, attributes), ...positions };
}

export function describeCounts(counts: Counts, attributes: readonly Attribute[]): object {
  return {
    ...(attributes.includes('user_count') && { user_count: counts.members }),
    ...(attributes.includes('subscription_count') && { subscription_count: counts.subscriptions }),
  };
}
