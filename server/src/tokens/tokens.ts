import { isUserId } from '@countersign/sdk-server/signature';
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { Logger } from 'pino';
import { type Action, isAction, type Token, unknownAction } from '../access/token.ts';
import type { App } from '../apps/app.ts';
import { isChannelPattern } from '../apps/channel-pattern.ts';
import type { TokenIssuer, TokenSettings } from '../apps/token-settings.ts';
import { hostnameOf, isLoopback } from '../config/loopback.ts';
import { OutageLog } from '../log/outage-log.ts';
import { increment, type Metrics } from '../metrics.ts';
import { OutboundClient } from '../outbound/http-client.ts';
import { memberText, NestedTooDeeply } from '../protocol/json-text.ts';
import { asObject } from '../protocol/messages.ts';
import { KeySet } from './key-set.ts';
import { TokenRefusal } from './refusal.ts';

export interface TokensParts {
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** `public`: no issuer is asked whose address is not one of the public internet, except on this machine. */
  readonly addresses: 'public' | 'any';
}

const TIMEOUT_MS = 4000;
const KEY_SET_BYTES = 262_144;
/** Seconds that the clock of an issuer may be ahead. */
const MAX_AHEAD_SECONDS = 60;
const MAX_PATTERNS = 1000;
const PATTERN_LENGTH = 200;

/** Verifies tokens of issuers that apps trust, in place of signatures of their backends. */
export class Tokens {
  readonly #parts: TokensParts;
  readonly #client: OutboundClient;
  /** For issuers on this machine. */
  readonly #localClient: OutboundClient;
  readonly #keySets = new WeakMap<TokenIssuer, KeySet>();

  constructor(parts: TokensParts) {
    this.#parts = parts;
    const common = { timeoutMs: TIMEOUT_MS, now: parts.now, keptBytes: KEY_SET_BYTES };
    this.#client = new OutboundClient({ ...common, addresses: parts.addresses });
    this.#localClient = new OutboundClient({ ...common, addresses: 'any' });
  }

  /**
   * Verifies a token, as the client sent it.
   *
   * @throws TokenRefusal if the app does not accept it
   * @throws Unavailable if the issuer does not tell its keys
   */
  async verify(app: App, token: unknown): Promise<Token> {
    if (typeof token !== 'string') throw new TokenRefusal('token_malformed', 'token must be a string');
    const { tokens: settings } = app;
    if (!settings) throw new TokenRefusal('token_issuer', 'The app accepts no tokens');
    const issuer = issuerOf(token, settings);
    const payload = await this.#payloadOf(app, token, issuer);
    // The reload of an app may have removed the issuer in the meantime.
    if (app.tokens?.issuer(issuer.name) !== issuer)
      throw new TokenRefusal('token_issuer', 'The app does not trust the issuer any more');
    // Its age decides whether a revocation came after it.
    if ((payload.iat ?? 0) > this.#parts.now() / 1000 + MAX_AHEAD_SECONDS)
      throw new TokenRefusal('token_not_yet_valid', 'The claim iat is ahead of the clock of the broker');
    return readToken(payload, token, issuer, settings, app.limits.presenceMemberBytes);
  }

  /** Ends all requests. */
  close(): void {
    for (const client of [this.#client, this.#localClient]) {
      client.cutOff();
      client.close();
    }
  }

  async #payloadOf(app: App, token: string, issuer: TokenIssuer): Promise<JWTPayload> {
    const options: JWTVerifyOptions = {
      issuer: issuer.name,
      audience: issuer.audience,
      algorithms: [...issuer.algorithms],
      requiredClaims: ['exp'],
      currentDate: new Date(this.#parts.now()),
    };
    try {
      if (issuer.key) return (await jwtVerify(token, issuer.key, options)).payload;
      const keys = this.#keySetOf(app, issuer);
      return (await jwtVerify(token, (header, jws) => keys.find(header, jws), options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw refusalOf(error);
      return payloadByOneOf(error, token, options);
    }
  }

  #keySetOf(app: App, issuer: TokenIssuer): KeySet {
    let keys = this.#keySets.get(issuer);
    if (!keys) {
      const log = this.#parts.log.child({ appId: app.id, issuer: issuer.name });
      const outage = new OutageLog(
        log,
        'keys of an issuer cannot be read',
        'keys of an issuer are read again',
      );
      keys = new KeySet({
        read: () => this.#read(app, issuer.jwksUrl ?? ''),
        onRead: (failure) => void (failure ? outage.failed(failure) : outage.succeeded()),
        monotonic: this.#parts.monotonic,
      });
      this.#keySets.set(issuer, keys);
    }
    return keys;
  }

  async #read(app: App, url: string): Promise<string> {
    const isLocal = isLoopback(hostnameOf(url));
    if (url.startsWith('http:') && !isLocal && this.#parts.addresses === 'public')
      throw new Error('jwksUrl must begin with https: whoever changes the answer could sign tokens');
    const client = isLocal ? this.#localClient : this.#client;
    const answer = await client.get(url, { Accept: 'application/jwk-set+json, application/json' });
    increment(this.#parts.metrics.app(app.id).tokenKeyRequests, answer?.outcome ?? 'cut off');
    if (answer?.outcome === 'delivered') return answer.text;
    throw new Error(
      answer?.status ? `The issuer answered ${answer.status}` : (answer?.text ?? 'The broker ends'),
    );
  }
}

/** The issuer whose keys a token is verified with: the one that it names, if the app trusts it. */
function issuerOf(token: string, settings: TokenSettings): TokenIssuer {
  let name: unknown;
  let algorithm: unknown;
  try {
    algorithm = decodeProtectedHeader(token).alg;
    name = decodeJwt(token).iss;
  } catch {
    throw new TokenRefusal('token_malformed', 'The token is no JSON Web Token');
  }
  const issuer = typeof name === 'string' ? settings.issuer(name) : undefined;
  if (!issuer) throw new TokenRefusal('token_issuer', `The app does not trust the issuer ${shown(name)}`);
  if (typeof algorithm === 'string' && issuer.algorithms.includes(algorithm)) return issuer;
  const accepted = issuer.algorithms.join(', ');
  throw new TokenRefusal(
    'token_signature',
    `The algorithm ${shown(algorithm)} is not accepted from this issuer: expected ${accepted}`,
  );
}

/** A token that names no key may be signed by any that fits its algorithm. */
async function payloadByOneOf(
  candidates: errors.JWKSMultipleMatchingKeys,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const key of candidates) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(error);
    }
  }
  throw refusalOf(new errors.JWSSignatureVerificationFailed());
}

/** What is wrong with a token, or the error itself if the token is not to blame. */
function refusalOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new TokenRefusal('token_expired', 'The token has expired');
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error);
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return new TokenRefusal('token_signature', 'The signature of the token does not fit');
  if (error instanceof errors.JWKSNoMatchingKey)
    return new TokenRefusal('token_signature', 'The issuer has no key by which the token is signed');
  if (error instanceof errors.JOSEAlgNotAllowed)
    return new TokenRefusal('token_signature', 'The algorithm of the token is not accepted');
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid)
    return new TokenRefusal('token_malformed', 'The token is no JSON Web Token');
  if (error instanceof errors.JOSEError || error instanceof TypeError)
    return new TokenRefusal(
      'token_signature',
      'The key of the issuer does not fit the algorithm of the token',
    );
  return error;
}

function claimRefusal({ claim, reason }: errors.JWTClaimValidationFailed): TokenRefusal {
  switch (claim) {
    case 'aud':
      return new TokenRefusal('token_audience', 'The token is for another audience');
    case 'iss':
      return new TokenRefusal('token_issuer', 'The token is of another issuer');
    case 'nbf':
      return reason === 'check_failed'
        ? new TokenRefusal('token_not_yet_valid', 'The token is not valid yet')
        : new TokenRefusal('token_malformed', 'The claim nbf must be a number');
    default:
      return new TokenRefusal('token_malformed', `The claim ${claim} is missing or has a wrong form`);
  }
}

function readToken(
  payload: JWTPayload,
  token: string,
  issuer: TokenIssuer,
  { userClaim, channelsClaim, userInfoClaim }: TokenSettings,
  maxBytes: number,
): Token {
  const userId = memberOf(payload, userClaim);
  if (!isUserId(userId)) {
    const expected = 'expected 1 to 128 of A-Z a-z 0-9 _ - = @ , . ;';
    throw new TokenRefusal('token_user', `The claim ${userClaim} is no user id: ${expected}`);
  }
  const userInfo = readUserInfo(payload, token, userInfoClaim);
  if (Buffer.byteLength(JSON.stringify({ id: userId })) + Buffer.byteLength(userInfo ?? '') > maxBytes)
    throw new TokenRefusal(
      'user_data_too_large',
      `Id and ${userInfoClaim} are longer than ${maxBytes} bytes`,
    );
  const { iat, exp: expiresAt = 0 } = payload;
  if (!Number.isSafeInteger(Math.ceil(expiresAt)))
    throw new TokenRefusal('token_malformed', 'The claim exp must be Unix time in seconds');
  const channels = readChannels(memberOf(payload, channelsClaim), channelsClaim);
  // Of a time within a second, revocations of the same second would not know whether they came first.
  const issuedAt = iat === undefined ? undefined : Math.floor(iat);
  return { issuer, userId, userInfo, issuedAt, expiresAt, channels };
}

function readUserInfo(payload: JWTPayload, token: string, claim: string): string | undefined {
  const info = memberOf(payload, claim);
  if (info === undefined || info === null) return undefined;
  if (!asObject(info)) throw new TokenRefusal('token_malformed', `The claim ${claim} must be an object`);
  try {
    // As the issuer wrote it: a parser changes numbers beyond 2^53.
    return memberText(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(), claim);
  } catch (error) {
    if (!(error instanceof NestedTooDeeply)) throw error;
    throw new TokenRefusal('token_malformed', `The claim ${claim} is nested too deeply`);
  }
}

function readChannels(value: unknown, claim: string): ReadonlyMap<string, readonly Action[]> {
  if (value === undefined || value === null) return new Map();
  const list: readonly unknown[] | undefined = Array.isArray(value) ? value : undefined;
  const object = asObject(value);
  const entries =
    list?.map((pattern) => [pattern, ['subscribe']] as const) ?? (object && Object.entries(object));
  if (!entries)
    throw new TokenRefusal('token_malformed', `The claim ${claim} must be an object or a list of patterns`);
  if (entries.length > MAX_PATTERNS)
    throw new TokenRefusal('token_malformed', `The claim ${claim} has more than ${MAX_PATTERNS} patterns`);
  return new Map(entries.map(([pattern, actions]) => readPattern(pattern, actions, claim)));
}

function readPattern(pattern: unknown, actions: unknown, claim: string): [string, readonly Action[]] {
  if (typeof pattern !== 'string' || pattern.length > PATTERN_LENGTH || !isChannelPattern(pattern)) {
    const expected = 'expected a channel name in which * stands for any text, such as "private-room-*"';
    throw new TokenRefusal('token_malformed', `The claim ${claim} names ${shown(pattern)}: ${expected}`);
  }
  if (!Array.isArray(actions) || !actions.every(isAction)) {
    const expected = 'expected a list of "subscribe" and "publish"';
    const found = unknownAction(actions) ?? shown(actions);
    throw new TokenRefusal(
      'token_malformed',
      `The claim ${claim} allows ${found} in ${pattern}: ${expected}`,
    );
  }
  return [pattern, actions];
}

function memberOf(payload: JWTPayload, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 200) ?? 'none';
}
