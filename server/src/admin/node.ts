import type { Logger } from 'pino';
import type { Adapter } from '../adapter/adapter.ts';
import { lastUsesOf } from '../adapter/key-uses.ts';
import {
  type AppFigures,
  addFigures,
  type NodeQuestion,
  type NodeState,
  noFigures,
} from '../adapter/node-figures.ts';
import { NOTHING_DONE, type NodeAnswer, type NodeGroup } from '../adapter/questions.ts';
import type { AppStore } from '../apps/app.ts';
import type { HookKey } from '../apps/hook.ts';
import type { KeyUses } from '../apps/keys/key-usage.ts';
import { VERSION } from '../version.ts';
import type { WebhookControl } from '../webhooks/control.ts';
import type { AppChannels, Live, NodeView, ProcessFigures } from './live.ts';
import { newId } from './random.ts';

export interface NodeParts {
  readonly apps: AppStore;
  readonly adapter: Adapter;
  readonly webhooks: WebhookControl;
  readonly historyBytes: (appId: string) => Promise<number>;
  readonly log: Logger;
  /** Reads what other nodes have changed about the apps. */
  readonly readApps: () => Promise<void>;
  /** Forgets what is kept of an app that is gone; `undefined` where no app can be deleted. */
  readonly forgetApp: (appId: string) => Promise<void> | undefined;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** What the processes of this node are asked for. */
export interface NodeProcesses {
  /** Those that serve clients. */
  processes(): readonly ProcessFigures[];
  isDraining(): boolean;
  drain(): void;
}

/** The nodes that `GET /nodes` shows after they were lost. */
const MAX_KNOWN = 1000;

/** This node, what happens in its processes, and what the other nodes tell of theirs. */
export class LiveNode implements Live {
  readonly #parts: NodeParts;
  readonly #id: string;
  /** `undefined`: it is the only one. */
  readonly #group: NodeGroup | undefined;
  readonly #since: number;
  /** What other nodes said last. */
  #known: ReadonlyMap<string, NodeState> = new Map();
  #processes: NodeProcesses | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.#since = Math.floor(parts.now() / 1000);
    this.#group = parts.adapter.nodes.represent?.((question) => this.#answer(question));
    this.#id = this.#group?.self ?? `node-${newId()}`;
  }

  attach(processes: NodeProcesses): void {
    this.#processes = processes;
  }

  async figures(appIds: readonly string[]): Promise<readonly AppFigures[]> {
    const figures = this.#group
      ? (await this.#group.ask({ kind: 'figures', appIds })).figures
      : await this.#ownFigures(appIds);
    // In the order of the ids; an app that no process serves has nothing.
    const byId = new Map(figures.map((each) => [each.appId, each]));
    return appIds.map((id) => byId.get(id) ?? noFigures(id));
  }

  async #ownFigures(appIds: readonly string[]): Promise<readonly AppFigures[]> {
    const all = await Promise.allSettled(this.#all().map((each) => each.figures(appIds)));
    return addFigures(all.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])));
  }

  async keyUses(appId: string): Promise<KeyUses> {
    return (await lastUsesOf(this.#parts.adapter, appId)).keyUses;
  }

  async channels(appId: string): Promise<AppChannels> {
    const channels = await this.#parts.adapter.roster.channels(appId, '');
    let members = 0;
    for (const counts of channels.values()) members += counts.members;
    return { channels: channels.size, members };
  }

  async nodes(): Promise<readonly NodeView[]> {
    if (!this.#group) return [{ ...(await this.#state()), self: true }];
    const { nodes, pending } = await this.#group.ask({ kind: 'nodeState' });
    const lost = pending.map((id) => {
      const { version = '', since = 0 } = this.#known.get(id) ?? {};
      return { id, version, since, connections: 0, load: 0, state: 'lost', self: false } as const;
    });
    const before = pending.flatMap((id) => this.#known.get(id) ?? []);
    this.#known = new Map([...nodes, ...before].slice(0, MAX_KNOWN).map((node) => [node.id, node]));
    return [...nodes.map((node) => ({ ...node, self: node.id === this.#id })), ...lost];
  }

  async drain(node: string): Promise<boolean> {
    const question = { kind: 'drain', node } as const;
    const { nodes } = await (this.#group ? this.#group.ask(question) : this.#answer(question));
    return nodes.length > 0;
  }

  async pending(appId: string): Promise<number> {
    const hooks = this.#parts.apps.byId(appId)?.hooks ?? [];
    const all = await Promise.all(
      hooks.map(({ key }: { readonly key: HookKey }) => this.#parts.webhooks.statusOf(key)),
    );
    return all.reduce((sum, { deliveries }) => sum + deliveries.pending + deliveries.failing, 0);
  }

  historyBytes(appId: string): Promise<number> {
    return this.#parts.historyBytes(appId);
  }

  async forgetApp(appId: string): Promise<void> {
    try {
      // Until then its connections may keep something.
      await this.#group?.ask({ kind: 'readApps' });
      await this.#parts.forgetApp(appId);
    } catch (error) {
      this.#parts.log.error({ err: error, appId }, 'something may be kept of an app that is deleted');
    }
  }

  async #answer(question: NodeQuestion): Promise<NodeAnswer> {
    if (question.kind === 'figures')
      return { ...NOTHING_DONE, figures: await this.#ownFigures(question.appIds) };
    if (question.kind === 'readApps') {
      await this.#parts.readApps();
      return NOTHING_DONE;
    }
    const state = await this.#state();
    if (question.kind === 'nodeState') return { ...NOTHING_DONE, nodes: [state] };
    if (question.node !== this.#id) return NOTHING_DONE;
    // Whoever asked for it gets the answer first.
    setTimeout(() => this.#processes?.drain(), DRAIN_DELAY_MS).unref();
    return { ...NOTHING_DONE, nodes: [{ ...state, state: 'draining' }] };
  }

  async #state(): Promise<NodeState> {
    const all = this.#all();
    const [connections, loads] = await Promise.all([
      Promise.allSettled(all.map((each) => each.connections())),
      Promise.allSettled(all.map((each) => each.load())),
    ]);
    return {
      id: this.#id,
      version: VERSION,
      since: this.#since,
      connections: valuesOf(connections).reduce((sum, each) => sum + each, 0),
      load: Math.max(0, ...valuesOf(loads)),
      state: this.#processes?.isDraining() ? 'draining' : 'ready',
    };
  }

  #all(): readonly ProcessFigures[] {
    return this.#processes?.processes() ?? [];
  }
}

const DRAIN_DELAY_MS = 100;

function valuesOf(settled: readonly PromiseSettledResult<number>[]): number[] {
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}
