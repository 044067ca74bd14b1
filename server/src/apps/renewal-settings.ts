import type { KeyObject } from 'node:crypto';
import { webhookSecretKey } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import { isCallable, webhookSecretSchema } from './hook.ts';

/** How an app's backend is asked to renew grants, in the configuration. */
export const renewalSchema = z
  .strictObject({
    /** The URL that is asked by POST. */
    url: z.string().refine(isCallable, 'expected an http or https URL without a user name and a fragment'),
    /** Seconds before the end from which it is asked. @default 60 */
    leadSeconds: z.int().min(1).max(86_400).default(60),
    /** Seconds after the end until which grants live that it could not be asked about. @default 0 */
    graceSeconds: z.int().min(0).max(86_400).default(0),
    /** Signs the requests. */
    secret: webhookSecretSchema,
  })
  .readonly();

export type RenewalConfig = z.infer<typeof renewalSchema>;

/** How an app's backend is asked to renew grants. */
export class RenewalSettings {
  readonly url: string;
  readonly leadMs: number;
  readonly graceMs: number;
  readonly secret: KeyObject;

  constructor({ url, leadSeconds, graceSeconds, secret }: RenewalConfig) {
    this.url = url;
    this.leadMs = leadSeconds * 1000;
    this.graceMs = graceSeconds * 1000;
    this.secret = webhookSecretKey(secret)!;
  }
}

/** The grants of an app with the secret of their renewal hidden. */
export function withoutRenewalSecret<Grants extends { readonly renewal: RenewalConfig | null }>(
  grants: Grants,
  hidden: string,
): Grants {
  return grants.renewal ? { ...grants, renewal: { ...grants.renewal, secret: hidden } } : grants;
}
