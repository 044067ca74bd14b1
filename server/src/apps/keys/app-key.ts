import { createSecretKey, type KeyObject } from 'node:crypto';
import { isChannelName } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import { isScope, KeyScopes, SCOPE_FORM } from './key-scope.ts';

/** What a key is good for. */
export const keyStates = ['active', 'accepted', 'revoked'] as const;

const moment = z.iso.datetime({
  offset: true,
  error: 'expected a moment of ISO 8601, such as "2027-01-31T00:00:00Z"',
});

export const keySchema = z
  .strictObject({
    /** Public name, which clients connect with. */
    key: z
      .string()
      .refine((key) => isChannelName(key, 128), 'expected 1 to 128 of A-Z a-z 0-9 _ - = @ , . ;'),
    /** Signs for the key. Only the broker and the customer's backend know it. Without it clients connect with the key, and nothing is signed. */
    secret: z.string().min(8).max(256).optional(),
    /** `active` signs and verifies, `accepted` only verifies, `revoked` is refused, and what it granted ends. @default "active" */
    state: z.enum(keyStates).default('active'),
    /** What the key may do; absent: everything. */
    scopes: z.array(z.string().refine(isScope, SCOPE_FORM)).readonly().optional(),
    /** From this moment on the key counts as revoked. */
    expiresAt: moment.optional(),
    /** When it was made, for people and for tools that rotate keys. */
    createdAt: moment.optional(),
  })
  .readonly();

export type KeyConfig = z.infer<typeof keySchema>;
export type KeyState = KeyConfig['state'];

/** A key of an app. A new secret makes a new key with the same name, and signatures of the old one are not valid any more. */
export class AppKey {
  readonly name: string;
  /** `undefined`: a client key, which only names the app. */
  readonly secret: KeyObject | undefined;
  /** Unix milliseconds. */
  expiresAt: number | undefined;
  /** Unix seconds. */
  createdAt: number | undefined;
  scopes!: KeyScopes;
  #state!: KeyState;

  constructor(config: KeyConfig) {
    this.name = config.key;
    this.secret = config.secret === undefined ? undefined : createSecretKey(config.secret, 'utf8');
    this.update(config);
  }

  /** Replaces all but name and secret. */
  update({ state, scopes, expiresAt, createdAt }: KeyConfig): void {
    this.#state = state;
    this.scopes = new KeyScopes(scopes);
    this.expiresAt = expiresAt === undefined ? undefined : Date.parse(expiresAt);
    this.createdAt = createdAt === undefined ? undefined : Math.floor(Date.parse(createdAt) / 1000);
  }

  /** Whether name and secret are the same, so that earlier signatures stay valid. */
  equals({ name, secret }: AppKey): boolean {
    if (this.name !== name) return false;
    return this.secret === undefined || secret === undefined
      ? this.secret === secret
      : this.secret.equals(secret);
  }

  get state(): KeyState {
    const isExpired = this.expiresAt !== undefined && this.expiresAt <= Date.now();
    return isExpired ? 'revoked' : this.#state;
  }

  get isRevoked(): boolean {
    return this.state === 'revoked';
  }
}
