import type { Adapter } from '../adapter/adapter.ts';
import { Administration, type Administrator } from '../admin/administration.ts';
import { LiveNode, type NodeProcesses } from '../admin/node.ts';
import { type Apply, Registry } from '../admin/registry/registry.ts';
import type { AppName } from '../apps/app.ts';
import type { AppRepository } from '../apps/app-repository.ts';
import type { Audit } from '../audit/audit.ts';
import { hideSecretsOf } from '../config/secrets.ts';
import type { UsageReader } from '../usage/usage-store.ts';
import type { WebhookControl } from '../webhooks/control.ts';
import type { CoreAdmin, CoreParts } from './core.ts';

/**
 * Reads the app store, so that its apps are there beside those of the file.
 *
 * @throws ConfigError without the right master key, or if an app of the file is in the store as well
 */
export async function openRegistry(parts: CoreParts, repository: AppRepository): Promise<Registry> {
  const { config, apps, now, log } = parts;
  const { admin, data, apps: file } = config;
  const registry = await Registry.open({ file, admin, data, repository, now, log });
  hideSecretsOf(registry.served);
  apps.take({ put: registry.served, removed: [] });
  return registry;
}

/** The administration of a core that has all its parts. */
export class OwnAdmin implements CoreAdmin {
  readonly administrator: Administrator;
  readonly registry: Registry;
  readonly #node: LiveNode;

  constructor(
    parts: CoreParts,
    registry: Registry,
    repository: AppRepository,
    core: {
      readonly adapter: Adapter;
      readonly webhooks: WebhookControl;
      readonly usage: UsageReader;
      readonly audit: Audit | undefined;
      readonly forgetApp?: (appId: string) => Promise<void>;
      /** Makes known to other nodes what this one has kept of apps. */
      readonly settle?: () => Promise<void>;
      /** @default what this node has counted */
      readonly historyBytes?: (appId: string) => Promise<number>;
    },
  ) {
    this.registry = registry;
    const { adapter, webhooks, usage, audit } = core;
    this.#node = new LiveNode({
      ...parts,
      adapter,
      webhooks,
      forgetApp: (id) => core.forgetApp?.(id),
      historyBytes: async (id) => (await core.historyBytes?.(id)) ?? parts.metrics.app(id).history.bytes,
      readApps: async () => {
        await registry.refresh();
        await core.settle?.();
      },
    });
    const { counters } = adapter;
    this.administrator = new Administration({
      ...parts,
      registry,
      repository,
      counters,
      live: this.#node,
      usage,
      audit,
    });
  }

  caughtUp(app: AppName): Promise<void> | undefined {
    return this.registry.caughtUp(app);
  }

  follow(apply: Apply): void {
    this.registry.attach(apply);
  }

  attach(processes: NodeProcesses): void {
    this.#node.attach(processes);
  }
}
