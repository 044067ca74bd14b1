import type { Access } from '../access/access.ts';
import type { App } from '../apps/app.ts';
import type { Audit } from '../audit/audit.ts';
import type { Hub } from '../hub/hub.ts';
import type { Subscriber } from '../hub/subscriber.ts';
import type { UserConnection } from '../hub/users.ts';
import type { FlightRecorder } from '../recorder/flight-recorder.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Quotas } from '../usage/quotas.ts';
import type { UserEventRate } from './rate-limits.ts';
import type { Report } from './reports/report.ts';
import type { ReportedConnection } from './reports/reported-connection.ts';

/** The connection of a session, as far as the session needs it. */
export interface SessionContext extends Subscriber, UserConnection, ReportedConnection {
  readonly app: App;
  /** The connection proved a right: it signed in, or subscribed to a channel that requires a signature. */
  authenticated(): void;
  /** The broker refused a proof that the client sent. */
  proofRefused(reason: string): void;
  /** Sends the client the error that its message caused, or closes the connection for it. */
  answer(error: unknown): void;
}

/** What a refused proof should prove. */
export interface ProofClaim {
  readonly socketId: string;
  /** `undefined` for a sign-in. */
  readonly channel: string | undefined;
  /** `channel_data` or `user_data` as received; empty if there was none. */
  readonly data: string;
}

/** What all sessions share. */
export interface SessionParts {
  readonly quotas: Quotas;
  readonly hub: Hub;
  readonly access: Access;
  readonly tokens: Tokens;
  readonly report: Report;
  /** Says in one sentence which mistake the backend made, if the app has `explainRefusals`. */
  readonly explain: (app: App, claim: ProofClaim, auth: unknown) => string | undefined;
  readonly userEvents: UserEventRate;
  readonly recorder: FlightRecorder;
  /** `undefined`: it is off. */
  readonly audit: Audit | undefined;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds, for everything that is waited for or limited. */
  readonly monotonic: () => number;
}
