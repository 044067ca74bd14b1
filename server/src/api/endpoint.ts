import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { Adapter } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import type { AppKey } from '../apps/keys/app-key.ts';
import type { GeneralScope } from '../apps/keys/key-scope.ts';
import type { Audit } from '../audit/audit.ts';
import type { Query } from '../http/query.ts';
import type { Hub } from '../hub/hub.ts';
import type { UsageCounts } from '../metrics.ts';
import type { Quotas } from '../usage/quotas.ts';
import type { WebhookControl } from '../webhooks/control.ts';

/** One thing that the API can do for an app. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `/apps/APP_ID/`; `:subject` stands for the name of a channel or user. */
  readonly path: string;
  /** Whether it publishes: most traffic does, so such paths hold no name and are known without express. */
  readonly publishes: boolean;
  /** Of the body. */
  readonly body?: z.ZodType;
  /** Of the body of the answer. */
  readonly answer: z.ZodType;
  /** Whether the answer may be {@link Accepted}. */
  readonly mayBeUnfinished?: boolean;
  /** The scope that the key of the caller needs; a publish checks the channels that it names itself. */
  readonly scope: GeneralScope | 'publish';
  /** Headers of each answer that is not a refusal. */
  readonly answerHeaders?: (app: App) => Readonly<Record<string, string>>;
  /**
   * Does it.
   *
   * @returns the body of the answer, or {@link Repeated} or {@link Accepted} with it
   * @throws ApiError if the request asks for what cannot be
   */
  run(call: Call): Promise<object> | object;
}

/** An answer with status 202: the request has not taken effect everywhere yet. */
export class Accepted {
  constructor(readonly body: object) {}
}

/** The repeated answer to an earlier request, which did everything that this one asks for. */
export class Repeated {
  constructor(readonly body: object) {}
}

/** One authenticated request, and what it may work with. */
export interface Call {
  readonly app: App;
  /** The key that signed the request. */
  readonly key: AppKey;
  /** The channel or user that the path names, decoded; empty where it names none. */
  readonly subject: string;
  readonly query: Query;
  readonly headers: IncomingHttpHeaders;
  /** The `traceparent` that names the request as a cause; `undefined` if it belongs to no trace. */
  readonly traceparent: string | undefined;
  /** As it came. */
  readonly body: Buffer;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly webhooks: WebhookControl;
  /** `undefined`: it is off. */
  readonly audit: Audit | undefined;
  /** Unix milliseconds. */
  now(): number;
  /** For what is awaited before the effect. @throws ApiError if the caller has lost the right to it meanwhile */
  checkRight(): void;
  /** What the app is billed by. */
  readonly usage: UsageCounts;
  readonly quotas: Quotas;
  /** Counts and logs that the app has reached a bound. */
  reached(bound: string): void;
}

/** What publishing needs of a call. */
export type PublishingCall = Pick<
  Call,
  'app' | 'hub' | 'adapter' | 'checkRight' | 'usage' | 'quotas' | 'body'
>;
