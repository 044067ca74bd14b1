/** What nodes report about themselves. */

/** What happens in one app, in all processes of a node. */
export interface AppFigures {
  readonly appId: string;
  readonly connections: number;
  readonly messagesPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly requestsPerSecond: number;
}

export interface NodeState {
  readonly id: string;
  readonly version: string;
  /** Unix seconds. */
  readonly since: number;
  readonly connections: number;
  /** How busy its busiest process is, from 0 to 1. */
  readonly load: number;
  readonly state: 'ready' | 'draining';
}

/** What a node is asked as a whole, whatever its processes are. */
export type NodeQuestion =
  | { readonly kind: 'figures'; readonly appIds: readonly string[] }
  | { readonly kind: 'nodeState' }
  /** It answers when it has all that was changed before. */
  | { readonly kind: 'readApps' }
  /** Only the node of this name does so. */
  | { readonly kind: 'drain'; readonly node: string };

export function noFigures(appId: string): AppFigures {
  return { appId, connections: 0, messagesPerSecond: 0, deliveriesPerSecond: 0, requestsPerSecond: 0 };
}

/** The figures of several processes as one, for each app. */
export function addFigures(all: readonly AppFigures[]): readonly AppFigures[] {
  const sums = new Map<string, AppFigures>();
  for (const each of all) {
    const sum = sums.get(each.appId) ?? noFigures(each.appId);
    sums.set(each.appId, {
      appId: each.appId,
      connections: sum.connections + each.connections,
      messagesPerSecond: sum.messagesPerSecond + each.messagesPerSecond,
      deliveriesPerSecond: sum.deliveriesPerSecond + each.deliveriesPerSecond,
      requestsPerSecond: sum.requestsPerSecond + each.requestsPerSecond,
    });
  }
  return [...sums.values()];
}
