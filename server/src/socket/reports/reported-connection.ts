import type { App } from '../../apps/app.ts';
import type { ClientInfo } from '../../apps/observer.ts';
import type { AppMetrics } from '../../metrics.ts';
import type { Recordable } from '../../recorder/flight-recorder.ts';

/** A connection, as reports name it. */
export interface ReportedConnection extends ClientInfo, Recordable {
  readonly app: App;
  readonly metrics: AppMetrics;
  /** The user that it has signed in as. */
  readonly userId?: string | undefined;
}

/** The fields that every log line about a connection has. */
export function idsOf({ app, key, socketId }: ReportedConnection): object {
  return { appId: app.id, key, socketId };
}
