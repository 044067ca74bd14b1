import type { PushedRow, UsageBatch, UsageQuery, UsageRow, UsageStore, Used } from '../usage/usage-store.ts';
import type { DataThread } from './data-thread.ts';

/** Bytes of one change while it waits for the thread, about. */
const CHANGE_BYTES = 300;

/** Usage in the data file, for those who are not in the thread that has it open. */
export class StoreUsage implements UsageStore {
  readonly isShared = false;
  /** A write waits for the disk, and what was not written is lost when the process is killed. */
  readonly writeMs = 5000;
  readonly #thread: () => DataThread;

  constructor(thread: () => DataThread) {
    this.#thread = thread;
  }

  begin(node: string): Promise<void> {
    return this.#thread().ask('beginUsage', [node]);
  }

  add(batch: UsageBatch): Promise<void> {
    return this.#thread().ask('addUsage', [batch], batch.changes.length * CHANGE_BYTES);
  }

  rows(query: UsageQuery): Promise<readonly UsageRow[]> {
    return this.#thread().ask('usageRows', [query]);
  }

  warn(app: string, quota: string, start: number): Promise<boolean> {
    return this.#thread().ask('warnOfQuota', [app, quota, start]);
  }

  takePush(_node: string, start: PushedRow): Promise<PushedRow> {
    return this.#thread().ask('takeUsagePush', [start]);
  }

  /** Nobody else wants the turn. */
  async leavePush(): Promise<void> {}

  pushed(_node: string, row: PushedRow): Promise<void> {
    return this.#thread().ask('usagePushed', [row]);
  }

  used(apps: readonly string[], at: number): Promise<readonly Used[]> {
    return this.#thread().ask('usedByApps', [apps, at]);
  }
}
