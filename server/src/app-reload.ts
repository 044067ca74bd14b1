import type { AppConfig } from './apps/app.ts';
import type { FileAppStore } from './apps/file-store.ts';
import { KeyExpiry } from './apps/keys/key-expiry.ts';
import { KeyChanges } from './audit/key-changes.ts';
import { hideSecretsOf } from './config/secrets.ts';
import { type Core, reloadCore } from './core/core.ts';
import type { Hub } from './hub/hub.ts';
import type { PublishSockets } from './publishing/publish-sockets.ts';
import type { FlightRecorder } from './recorder/flight-recorder.ts';
import type { Gateway } from './socket/handshakes/gateway.ts';

/** Takes over changed apps, and ends what was granted by keys that are not valid any more. */
export class AppReload {
  readonly #parts: AppReloadParts;
  readonly #keyExpiry: KeyExpiry;
  readonly #keyChanges: KeyChanges;

  constructor(parts: AppReloadParts) {
    const { apps, core, configured, recordsKeyChanges } = parts;
    this.#parts = parts;
    this.#keyExpiry = new KeyExpiry(apps, () => this.#endInvalid());
    const audit = recordsKeyChanges ? core.audit : undefined;
    this.#keyChanges = new KeyChanges(audit, core.admin.registry?.file ?? configured);
  }

  /** Takes over a list of apps: connections stay open while their app and key are still valid. */
  async take(list: readonly AppConfig[]): Promise<void> {
    const { apps, core, hub, recorder } = this.#parts;
    hideSecretsOf(list);
    this.#keyChanges.record(core.admin.registry?.file ?? list);
    apps.replace(list);
    reloadCore(core);
    recorder.forgetOthers(new Set(list.map(({ id }) => id)));
    this.#endInvalid();
    this.#keyExpiry.reset();
    // An app that was removed and is made again begins without revocations.
    await hub.revoker.start();
  }

  close(): void {
    this.#keyExpiry.close();
  }

  #endInvalid(): void {
    const { gateway, publishSockets, hub } = this.#parts;
    gateway.closeOrphans();
    publishSockets.closeInvalid();
    hub.endings.endInvalid();
  }
}

export interface AppReloadParts {
  readonly apps: FileAppStore;
  readonly core: Core;
  /** The apps of the configuration at the start. */
  readonly configured: readonly AppConfig[];
  /** Whether this process records changes of keys: the parent of workers does so for all of them. */
  readonly recordsKeyChanges: boolean;
  readonly hub: Hub;
  readonly recorder: FlightRecorder;
  readonly gateway: Gateway;
  readonly publishSockets: PublishSockets;
}
