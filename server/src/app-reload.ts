import type { AppConfig } from './apps/app.ts';
import type { AppChanges } from './apps/app-changes.ts';
import type { FileAppStore } from './apps/file-store.ts';
import { KeyExpiry } from './apps/keys/key-expiry.ts';
import { KeyChanges } from './audit/key-changes.ts';
import { type Core, takeApps } from './core/core.ts';
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

  /** Takes over changed apps: connections stay open while their app and key are still valid. */
  async take(changes: AppChanges): Promise<void> {
    const { apps, core, hub, recorder, configured } = this.#parts;
    this.#keyChanges.record(core.admin.registry?.file ?? configured);
    takeApps(core, apps, changes);
    recorder.forgetApps(new Set(changes.removed));
    this.#endInvalid();
    this.#keyExpiry.consider(changes.put.map(({ id }) => apps.byId(id)));
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
