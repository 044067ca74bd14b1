import type { AppConfig } from './app.ts';

/** What is different about the apps that clients can use. To take it over again changes nothing. */
export interface AppChanges {
  /** New apps, and those whose settings have changed. */
  readonly put: readonly AppConfig[];
  /** Ids of those that are gone. */
  readonly removed: readonly string[];
}
