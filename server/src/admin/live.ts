/** What happens now on this node, as the admin API asks for it. */
import type { KeyUses } from '../apps/keys/key-usage.ts';

/** What happens in one app, in all processes of this node. */
export interface AppFigures {
  readonly connections: number;
  readonly messagesPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly requestsPerSecond: number;
}

/** What an app has in its channels. */
export interface AppChannels {
  readonly channels: number;
  readonly members: number;
}

export interface NodeState {
  readonly id: string;
  readonly version: string;
  /** Unix seconds. */
  readonly since: number;
  readonly connections: number;
  /** How busy its busiest process is, from 0 to 1. */
  readonly load: number;
  readonly state: 'ready' | 'draining' | 'lost';
  /** Whether it answers. */
  readonly self: boolean;
}

export interface Live {
  figures(appId: string): Promise<AppFigures>;
  channels(appId: string): Promise<AppChannels>;
  /** The last uses of the keys of an app, in all processes of all nodes that answer. */
  keyUses(appId: string): Promise<KeyUses>;
  nodes(): Promise<readonly NodeState[]>;
  /** Drains a node as SIGTERM does. @returns whether there is such a node */
  drain(node: string): Promise<boolean>;
  /** Deliveries of webhooks of an app that wait. */
  pending(appId: string): Promise<number>;
  /** Bytes that the histories of an app take. */
  historyBytes(appId: string): number;
  /** Forgets what is kept of an app that is deleted. */
  forgetApp(appId: string): Promise<void>;
}

/** What one process of this node tells of itself. */
export interface ProcessFigures {
  figures(appId: string): Promise<AppFigures> | AppFigures;
  connections(): Promise<number> | number;
  load(): Promise<number> | number;
}

export const NO_FIGURES: AppFigures = {
  connections: 0,
  messagesPerSecond: 0,
  deliveriesPerSecond: 0,
  requestsPerSecond: 0,
};

/** The figures of several processes as one. */
export function addFigures(all: readonly AppFigures[]): AppFigures {
  return all.reduce(
    (sum, each) => ({
      connections: sum.connections + each.connections,
      messagesPerSecond: sum.messagesPerSecond + each.messagesPerSecond,
      deliveriesPerSecond: sum.deliveriesPerSecond + each.deliveriesPerSecond,
      requestsPerSecond: sum.requestsPerSecond + each.requestsPerSecond,
    }),
    NO_FIGURES,
  );
}
