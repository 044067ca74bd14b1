import { z } from 'zod';
import { hostnameOf, isLoopback } from './loopback.ts';

/** What a token may do: everything, run apps, look, or read usage. */
export const adminRoles = ['owner', 'operator', 'viewer', 'billing'] as const;

export type AdminRole = (typeof adminRoles)[number];

/** The name of the token of the environment. */
export const ENVIRONMENT_TOKEN = 'env';

const MASTER_KEY_BYTES = 32;

/** The name of a token. */
export const tokenName = z
  .string()
  .refine((name) => /^[A-Za-z0-9_.-]{1,64}$/.test(name), 'expected 1 to 64 of A-Z a-z 0-9 _ . -');

/** The ids of the apps that a token is for. */
export const tokenApps = z
  .array(
    z.string().refine((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id), 'expected ids of 1 to 64 of A-Z a-z 0-9 _ -'),
  )
  .min(1)
  .readonly();

const tokenSchema = z
  .strictObject({
    /** Names the token in the audit log. */
    name: tokenName.refine((name) => name !== ENVIRONMENT_TOKEN, 'expected another name than "env"'),
    /** "sha256:" and the SHA-256 of the token in hexadecimal digits. */
    hash: z
      .string()
      .refine((hash) => /^sha256:[0-9a-f]{64}$/.test(hash), 'expected "sha256:" and 64 of 0-9 a-f'),
    role: z.enum(adminRoles),
    /** The apps that it is for. @default all */
    apps: tokenApps.optional(),
    /** When it ends, in ISO 8601. @default never */
    expiresAt: z.iso
      .datetime({ offset: true, error: 'expected a time such as "2027-01-31T00:00:00Z"' })
      .optional(),
  })
  .readonly();

const oidcSchema = z
  .strictObject({
    /** The URL of the identity provider, as its discovery document names it. */
    issuer: z
      .url({ protocol: /^https?$/ })
      .refine(
        (url) => url.startsWith('https:') || isLoopback(hostnameOf(url)),
        'expected https: whoever changes the answers of the provider could sign in',
      ),
    clientId: z.string().min(1).max(200),
    clientSecret: z.string().min(1).max(1000),
    /** The claim that holds the roles of a user, such as `groups` or `realm_access.roles`. */
    roleClaim: z.string().min(1).max(200),
    /** The role here of each value of the claim. */
    roles: z
      .record(z.string(), z.enum(adminRoles))
      .transform((roles): ReadonlyMap<string, AdminRole> => new Map(Object.entries(roles)))
      .refine(({ size }) => size > 0, 'expected at least one role'),
  })
  .readonly();

export type OidcConfig = z.infer<typeof oidcSchema>;

/** Who administers the broker over the admin API. */
export const adminSchema = z
  .strictObject({
    /** The token of one owner, from the environment. */
    token: z.string().min(32).optional(),
    /** Tokens of the admin API. @default [] */
    tokens: z.array(tokenSchema).readonly().default([]),
    /** An identity provider with which people sign in to the console. @default none */
    oidc: oidcSchema.optional(),
    /** 32 bytes in base64, under which the app store seals what it keeps. Without it `master.key` in `data`. */
    masterKey: z
      .string()
      .refine(
        (text) => readMasterKey(text) !== undefined,
        'expected 32 bytes in base64, as openssl rand -base64 32 prints',
      )
      .optional(),
  })
  .superRefine(({ tokens }, context) => {
    const names = new Set<string>();
    for (const [index, { name }] of tokens.entries()) {
      if (names.has(name)) {
        const message = 'expected a name that no other token has';
        context.addIssue({ code: 'custom', path: ['tokens', index, 'name'], input: name, message });
      }
      names.add(name);
    }
  })
  .readonly();

export type AdminConfig = z.infer<typeof adminSchema>;

/** The bytes of a master key; `undefined` if the text is none. */
export function readMasterKey(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === MASTER_KEY_BYTES ? bytes : undefined;
}

/** Whether the configuration lets anybody administer. */
export function hasAdmin({ token, tokens, oidc }: AdminConfig): boolean {
  return token !== undefined || tokens.length > 0 || oidc !== undefined;
}
