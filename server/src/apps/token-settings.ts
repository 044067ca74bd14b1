import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { isCallable } from './hook.ts';

const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
const KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

const issuerSchema = z
  .strictObject({
    /** The claim `iss` of its tokens. */
    issuer: z.string().min(1).max(1000),
    /** The claim `aud` of tokens for this app. */
    audience: z.string().min(1).max(1000),
    /** Where its keys are (a JSON Web Key Set). Over http only on this machine, or if `webhookAddresses` is `any`. */
    jwksUrl: z
      .string()
      .refine(isCallable, 'expected an http or https URL without a user name and a fragment')
      .optional(),
    /** Its one key, as PEM or as a JSON Web Key. */
    publicKey: z
      .union([z.string(), z.record(z.string(), z.unknown())])
      .refine((key) => publicKeyOf(key) !== undefined, 'expected a public key, as PEM or as a JSON Web Key')
      .optional(),
    /** The secret that it shares with the broker. */
    secret: z.string().min(8).max(1024).optional(),
    /** @default ["HS256"] for a secret, ["RS256", "ES256", "EdDSA"] for keys */
    algorithms: z
      .array(z.enum([...SECRET_ALGORITHMS, ...KEY_ALGORITHMS]))
      .min(1)
      .readonly()
      .optional(),
  })
  .superRefine(({ jwksUrl, publicKey, secret, algorithms = [] }, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], input: undefined, message });
    if ([jwksUrl, publicKey, secret].filter((each) => each !== undefined).length !== 1)
      refuse('jwksUrl', 'expected exactly one of jwksUrl, publicKey and secret');
    const allowed: readonly string[] = secret === undefined ? KEY_ALGORITHMS : SECRET_ALGORITHMS;
    const wrong = algorithms.find((algorithm) => !allowed.includes(algorithm));
    if (wrong === undefined) return;
    const [what, needs] = secret === undefined ? ['keys', 'a secret'] : ['a secret', 'keys'];
    // Whoever knows a public key could sign with it as if it were a secret.
    refuse('algorithms', `${wrong} needs ${needs}: expected ${allowed.join(', ')} for ${what}`);
  })
  .readonly();

/** Tokens that the broker accepts in place of signatures, in the configuration. */
export const tokensSchema = z
  .strictObject({
    /** Who issues them. */
    issuers: z.array(issuerSchema).min(1).max(20).readonly(),
    /** The claim that holds the id of the user. @default "sub" */
    userClaim: z.string().min(1).max(200).default('sub'),
    /** The claim that holds the channels. @default "channels" */
    channelsClaim: z.string().min(1).max(200).default('channels'),
    /** The claim that holds what other members learn of the user. @default "user_info" */
    userInfoClaim: z.string().min(1).max(200).default('user_info'),
    /** What happens at the end of a token: the connection closes with 4009 (`end`), or with 4200 shortly before (`reconnect`). @default "end" */
    onExpiry: z.enum(['end', 'reconnect']).default('end'),
  })
  .superRefine(({ issuers }, context) => {
    const names = issuers.map(({ issuer }) => issuer);
    const again = names.findIndex((name, index) => names.indexOf(name) !== index);
    if (again < 0) return;
    const message = 'expected another issuer: this one is listed before';
    context.addIssue({ code: 'custom', path: ['issuers', again, 'issuer'], input: names[again], message });
  })
  .readonly();

export type TokensConfig = z.infer<typeof tokensSchema>;
type IssuerConfig = z.infer<typeof issuerSchema>;

/** Whoever issues tokens for an app. */
export class TokenIssuer {
  readonly name: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  /** Where its keys are; without it there is one {@link key}. */
  readonly jwksUrl: string | undefined;
  readonly key: KeyObject | undefined;
  readonly #text: string;

  constructor(config: IssuerConfig) {
    const { issuer, audience, jwksUrl, publicKey, secret, algorithms } = config;
    this.name = issuer;
    this.audience = audience;
    this.jwksUrl = jwksUrl;
    if (secret !== undefined) this.key = createSecretKey(secret, 'utf8');
    if (publicKey !== undefined) this.key = publicKeyOf(publicKey);
    this.algorithms = algorithms ?? (secret === undefined ? ['RS256', 'ES256', 'EdDSA'] : ['HS256']);
    this.#text = JSON.stringify(config);
  }

  /** Whether it has the same settings. */
  equals(other: TokenIssuer): boolean {
    return this.#text === other.#text;
  }
}

/** Which tokens an app accepts. */
export class TokenSettings {
  readonly userClaim: string;
  readonly channelsClaim: string;
  readonly userInfoClaim: string;
  readonly reconnects: boolean;
  readonly #issuers: ReadonlyMap<string, TokenIssuer>;

  /** @param before whose issuers are kept where they have not changed, so that what they gave stays valid */
  constructor(
    { issuers, userClaim, channelsClaim, userInfoClaim, onExpiry }: TokensConfig,
    before?: TokenSettings,
  ) {
    this.userClaim = userClaim;
    this.channelsClaim = channelsClaim;
    this.userInfoClaim = userInfoClaim;
    this.reconnects = onExpiry === 'reconnect';
    this.#issuers = new Map(
      issuers.map((config) => {
        const issuer = new TokenIssuer(config);
        const known = before?.issuer(issuer.name);
        return [issuer.name, known?.equals(issuer) ? known : issuer] as const;
      }),
    );
  }

  issuer(name: string): TokenIssuer | undefined {
    return this.#issuers.get(name);
  }
}

/** Settings of tokens with their secrets hidden. */
export function withoutTokenSecrets(tokens: TokensConfig | null, hidden: string): TokensConfig | null {
  if (!tokens) return null;
  const issuers = tokens.issuers.map((issuer) =>
    issuer.secret === undefined ? issuer : { ...issuer, secret: hidden },
  );
  return { ...tokens, issuers };
}

function publicKeyOf(key: string | Readonly<Record<string, unknown>>): KeyObject | undefined {
  try {
    if (typeof key !== 'string') {
      return 'd' in key ? undefined : createPublicKey({ key: key as JsonWebKey, format: 'jwk' });
    }
    // A private key would be taken, too: whoever configures one has mixed them up.
    return key.includes('PRIVATE') ? undefined : createPublicKey(key);
  } catch {
    return undefined;
  }
}
