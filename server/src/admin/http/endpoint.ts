import type { z } from 'zod';
import type { AdministrationType } from '../../audit/record.ts';
import type { AdminRole } from '../../config/admin.ts';
import type { UsageReader } from '../../usage/usage-store.ts';
import type { Live } from '../live.ts';
import type { Change } from '../registry/documents.ts';
import type { Registry } from '../registry/registry.ts';
import type { Actor, Tokens } from '../tokens.ts';
import type { Trail, TrailEntry } from '../trail.ts';
import { Problem } from './problem.ts';
import type { AdminAnswer } from './request.ts';

/** One request that the admin API takes. */
export interface AdminEndpoint {
  readonly operationId: string;
  readonly summary: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With the names of its parameters in braces. */
  readonly path: string;
  /** The roles that may make it. */
  readonly roles: readonly AdminRole[];
  /** Whether it concerns more than single apps, so that a token that is for some apps may not make it. */
  readonly isWide?: boolean;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Media types of the body beside `application/json`. */
  readonly bodyTypes?: readonly string[];
  readonly status: 200 | 201 | 202 | 204;
  /** Of the body of the answer. */
  readonly answer?: z.ZodType;
  run(call: AdminCall): AdminAnswer | Promise<AdminAnswer>;
}

/** One request while it is answered. */
export interface AdminCall {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** As JSON, checked by the schema of the endpoint. */
  readonly body: unknown;
  readonly ifMatch: string | undefined;
  readonly actor: Actor;
  readonly registry: Registry;
  readonly tokens: Tokens;
  readonly trail: Trail;
  readonly live: Live;
  readonly usage: UsageReader;
  /** Where an answer goes on that is sent in parts; `undefined`: it begins. */
  readonly resume: string | undefined;
  /** Bounds of the broker for what an app may set. */
  readonly bounds: { readonly eventDataBytes: number };
  /** Unix seconds. */
  readonly now: number;
  /** Who does what, for the audit log. */
  entry(type: AdministrationType, fields: Pick<TrailEntry, 'app' | 'target' | 'changes'>): TrailEntry;
  /** Makes a change of the app store, at most once for each idempotency key. */
  change(work: () => Change): Promise<AdminAnswer>;
}

export const READERS: readonly AdminRole[] = ['owner', 'operator', 'viewer'];
export const WRITERS: readonly AdminRole[] = ['owner', 'operator'];
export const OWNERS: readonly AdminRole[] = ['owner'];

/** @throws Problem without an app store */
export function needStore({ registry }: AdminCall): void {
  if (!registry.hasStore) {
    throw new Problem(
      'no_store',
      'There is no app store: set "data", or "redis" with "admin.masterKey", in the configuration of the broker',
    );
  }
}
