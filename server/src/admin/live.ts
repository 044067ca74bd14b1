/** What happens now on the nodes, as the admin API asks for it. */
import { type AppFigures, type NodeState, noFigures } from '../adapter/node-figures.ts';
import type { KeyUses } from '../apps/keys/key-usage.ts';

/** What an app has in its channels. */
export interface AppChannels {
  readonly channels: number;
  readonly members: number;
}

/** A node, as the admin API shows it. */
export interface NodeView extends Omit<NodeState, 'state'> {
  /** A lost one does not answer, and its lease has not lapsed yet. */
  readonly state: NodeState['state'] | 'lost';
  /** Whether it answers the request. */
  readonly self: boolean;
}

export interface Live {
  /** Of each of these apps, in all processes of all nodes that answer. */
  figures(appIds: readonly string[]): Promise<readonly AppFigures[]>;
  channels(appId: string): Promise<AppChannels>;
  /** The last uses of the keys of an app, in all processes of all nodes that answer. */
  keyUses(appId: string): Promise<KeyUses>;
  nodes(): Promise<readonly NodeView[]>;
  /** Drains a node as SIGTERM does. @returns whether there is such a node */
  drain(node: string): Promise<boolean>;
  /** Deliveries of webhooks of an app that wait. */
  pending(appId: string): Promise<number>;
  /** Bytes that the histories of an app take. */
  historyBytes(appId: string): Promise<number>;
  /** Forgets what is kept of an app that is deleted. */
  forgetApp(appId: string): Promise<void>;
}

/** In all processes of all nodes that answer. */
export async function figuresOf(live: Live, appId: string): Promise<AppFigures> {
  const [figures] = await live.figures([appId]);
  return figures ?? noFigures(appId);
}

/** What one process of this node tells of itself. */
export interface ProcessFigures {
  /** Of those of these apps that it serves. */
  figures(appIds: readonly string[]): Promise<readonly AppFigures[]> | readonly AppFigures[];
  connections(): Promise<number> | number;
  load(): Promise<number> | number;
}
