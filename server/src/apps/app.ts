import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { type HistoryRule, historyRuleSchema, ruleFor } from './history-rule.ts';
import { Hook, webhookSchema } from './hook.ts';
import { AppKey, type KeyConfig, keySchema } from './keys/app-key.ts';
import { KeyUsage } from './keys/key-usage.ts';
import type { AppObserver } from './observer.ts';
import { AllowedOrigins, isOriginPattern } from './origins.ts';
import { RenewalSettings, renewalSchema } from './renewal-settings.ts';
import { TokenSettings, tokensSchema } from './token-settings.ts';

const count = z.int().min(1);
const countOrUnlimited = z.union([count, z.null()]);

/** Limits of an app, in rates and sizes. Characters are UTF-16 code units; bytes are those of UTF-8. */
export const limitsSchema = z
  .strictObject({
    /** Connections at one time; null: no limit. @default 50_000 */
    connections: countOrUnlimited.default(50_000),
    /** Connections of one signed-in user at one time, the newest of them; null: no limit. @default null */
    connectionsPerUser: countOrUnlimited.default(null),
    /** Client events that one connection may send per second, and in one burst; null: no limit. @default 10 */
    clientEventsPerSecond: countOrUnlimited.default(10),
    /** Client events that all connections of one user may send per second; null: no limit. @default null */
    clientEventsPerSecondPerUser: countOrUnlimited.default(null),
    /**
     * Frames that one connection may send per second. The burst is this and `subscriptionsPerConnection`
     * together, so that a page can reconnect with all its channels; null: no limit. @default 100
     */
    framesPerSecond: countOrUnlimited.default(100),
    /**
     * Subscriptions and sign-ins of one connection that may be refused per minute for an invalid proof. The burst is
     * this and `subscriptionsPerConnection` together, so that a page with a broken backend gets the error of each of
     * its channels. One more closes the connection with 4009. @default 60
     */
    refusedProofsPerMinute: count.default(60),
    /** Sign-ins of one connection per minute; one more closes the connection with 4100. @default 30 */
    signInsPerMinute: count.default(30),
    /** Bytes of `data` in one event. @default 10_240 */
    eventDataBytes: count.default(10_240),
    /** Characters in an event name. @default 200 */
    eventNameLength: count.max(1000).default(200),
    /** Characters in a channel name. @default 200 */
    channelNameLength: count.max(1000).default(200),
    /** Channels with a kept event at one time; beyond it the oldest event is dropped. @default 10_000 */
    keptEvents: count.default(10_000),
    /** Bytes of the kept events. @default 16_777_216 */
    keptBytes: count.default(16_777_216),
    /** Publishes under an idempotency key that are known at one time; beyond it the oldest is forgotten. @default 100_000 */
    idempotencyKeys: count.default(100_000),
    /** Bytes of what is known of them. @default 67_108_864 */
    idempotencyBytes: count.default(67_108_864),
    /** Users that may be kept out at a time, each channel counted by itself; one more is refused. @default 100_000 */
    blocks: count.default(100_000),
    /** Bytes of those blocks. @default 33_554_432 */
    blockBytes: count.default(33_554_432),
    /** Channels that one publish may name. @default 100 */
    channelsPerPublish: count.default(100),
    /** Events in one batch. @default 10 */
    batchSize: count.default(10),
    /** Events in one batch of a server library that asks how many the broker takes, as ours does. @default 100 */
    coalescedBatchSize: count.default(100),
    /** Sockets that publish in each process; one more is refused. @default 100 */
    publishConnections: count.default(100),
    /** Nonces of requests that are remembered at a time; one more is refused. @default 1_000_000 */
    nonces: count.default(1_000_000),
    /** Distinct users in one presence channel. @default 100 */
    presenceMembers: count.default(100),
    /** Bytes of the `channel_data` or `user_data` that describes one user. @default 1024 */
    presenceMemberBytes: count.default(1024),
    /** Channels that one connection may be subscribed to. @default 200 */
    subscriptionsPerConnection: count.default(200),
    /** Published and client events of a day in UTC, over all nodes; null: no quota. @default null */
    messagesPerDay: countOrUnlimited.default(null),
    /** Minutes of all connections in a month in UTC, over all nodes; null: no quota. @default null */
    connectionMinutesPerMonth: countOrUnlimited.default(null),
    /** Requests to the HTTP API per second, and in one burst; null: no limit. @default 2000 */
    httpRequestsPerSecond: countOrUnlimited.default(2000),
  })
  .readonly();

export type Limits = z.infer<typeof limitsSchema>;

/** The life of what lets a connection into a channel. */
export const grantsSchema = z
  .strictObject({
    /** The longest life of a grant, counted from its subscribe or renewal; null: as long as it says. @default null */
    maxSeconds: countOrUnlimited.default(null),
    /** Ends the subscription (`end`), or closes the connection with 4200 shortly before (`reconnect`). @default "end" */
    onExpiry: z.enum(['end', 'reconnect']).default('end'),
    /** Refuses grants that do not say when they end. @default false */
    requireExpiry: z.boolean().default(false),
    /** The backend that is asked to renew what is about to end; null: none. @default null */
    renewal: renewalSchema.nullable().default(null),
  })
  .readonly();

export type Grants = z.infer<typeof grantsSchema>;

/** The grants of a new app end, since nobody relies on them yet. */
export const NEW_GRANTS = { maxSeconds: 3600, onExpiry: 'reconnect' } as const;

const origin = z
  .string()
  .refine(
    isOriginPattern,
    'expected "*", an origin as browsers send it, such as "https://example.com", or one with a wildcard host, such as "https://*.example.com"',
  );

/** One tenant, as the configuration describes it. */
export const appSchema = z
  .strictObject({
    /** The id of the app in paths of the HTTP API. */
    id: z.string().refine((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id), 'expected 1 to 64 of A-Z a-z 0-9 _ -'),
    /** For people; defaults to the id. */
    name: z.string().max(200).optional(),
    /** Oldest first. All are valid at the same time, so a key is rotated by adding one and later removing the other. */
    keys: z.array(keySchema).min(1).readonly(),
    /** false closes its connections with 4003 and answers its requests with 403. @default true */
    enabled: z.boolean().default(true),
    /** Closes connections that do not use TLS with 4000. @default false */
    requireTLS: z.boolean().default(false),
    /** Refuses requests to the HTTP API without `auth_nonce`. @default false */
    requireNonce: z.boolean().default(false),
    /** Sends clients the text that should have been signed, which holds no secret. @default false */
    explainRefusals: z.boolean().default(false),
    /** Seconds for which a cache channel keeps its last event. @default 1800 */
    cacheSeconds: count.default(1800),
    /** Seconds for which a publish under an idempotency key is repeated rather than made again. @default 600 */
    idempotencySeconds: count.max(86_400).default(600),
    /** What channels keep, by the first rule whose pattern is their name. @default [] */
    history: z.array(historyRuleSchema).readonly().default([]),
    /** Bytes of these events; beyond it the oldest one is dropped. @default 67_108_864 */
    historyMaxBytes: z.int().min(1024).default(67_108_864),
    /** Whether these events outlive the broker: in `data`; in Redis they do anyway. @default false */
    historyDurable: z.boolean().default(false),
    /** Whether clients may send client events. @default true */
    clientEvents: z.boolean().default(true),
    /** Whether subscribers get the number of subscriptions of their channel. @default false */
    subscriptionCount: z.boolean().default(false),
    /**
     * Closes connections with 4009 that neither sign in nor subscribe to a channel that requires a signature within
     * `authenticationTimeoutSeconds`. Connections that are open when it is turned on stay. @default false
     */
    requireUserAuthentication: z.boolean().default(false),
    /** Origins whose pages may connect: "*", exact origins, "file://", "null", or "https://*.example.com". @default ["*"] */
    allowedOrigins: z.array(origin).readonly().default(['*']),
    /** Overrides the broker's setting of the same name for this app. */
    activityTimeoutSeconds: count.optional(),
    /** Seconds after which a connection is closed with 4200, give or take a tenth; null: no limit. @default null */
    maxConnectionSeconds: countOrUnlimited.default(null),
    grants: grantsSchema.prefault({}),
    /** Tokens of identity providers that are accepted in place of signatures; null: none. @default null */
    tokens: tokensSchema.nullable().default(null),
    limits: limitsSchema.prefault({}),
    /** The receivers of its events. @default [] */
    webhooks: z.array(webhookSchema).readonly().default([]),
  })
  .readonly();

export type AppConfig = z.infer<typeof appSchema>;
export type AppInput = z.input<typeof appSchema>;

/**
 * One tenant of the running broker. Each app id has one object; a reload replaces its settings, so that connections
 * keep their reference and always see the present ones.
 */
export class App {
  readonly id: string;
  readonly keyUses = new KeyUsage();
  /** Set while somebody watches the app in the console. Without it, no events are created. */
  observer: AppObserver | undefined;
  #config!: AppConfig;
  #keys: ReadonlyMap<string, AppKey> = new Map();
  #origins!: AllowedOrigins;
  #hooks!: readonly Hook[];
  /** How its backend is asked to renew grants, if it is. */
  renewal: RenewalSettings | undefined;
  /** Which tokens it accepts in place of signatures, if any. */
  tokens: TokenSettings | undefined;

  constructor(config: AppConfig) {
    this.id = config.id;
    this.update(config);
  }

  /** Replaces the settings. */
  update(config: AppConfig): void {
    this.#config = config;
    const keys = config.keys.map((key) => this.#unchanged(new AppKey(key), key));
    this.#keys = new Map(keys.map((key) => [key.name, key]));
    this.#origins = new AllowedOrigins(config.allowedOrigins);
    this.renewal = config.grants.renewal ? new RenewalSettings(config.grants.renewal) : undefined;
    this.tokens = config.tokens ? new TokenSettings(config.tokens, this.tokens) : undefined;
    this.#hooks = config.webhooks.map((webhook) => new Hook(this.id, webhook));
  }

  get name(): string {
    return this.#config.name ?? this.id;
  }
  get enabled(): boolean {
    return this.#config.enabled;
  }
  get requireTLS(): boolean {
    return this.#config.requireTLS;
  }
  get requireNonce(): boolean {
    return this.#config.requireNonce;
  }
  get explainRefusals(): boolean {
    return this.#config.explainRefusals;
  }
  get cacheSeconds(): number {
    return this.#config.cacheSeconds;
  }
  get idempotencySeconds(): number {
    return this.#config.idempotencySeconds;
  }
  get historyMaxBytes(): number {
    return this.#config.historyMaxBytes;
  }
  get historyDurable(): boolean {
    return this.#config.historyDurable;
  }
  /** What a channel keeps; `undefined`: nothing. */
  historyOf(channel: string): HistoryRule | undefined {
    return ruleFor(this.#config.history, channel);
  }
  get clientEvents(): boolean {
    return this.#config.clientEvents;
  }
  get subscriptionCount(): boolean {
    return this.#config.subscriptionCount;
  }
  get requireUserAuthentication(): boolean {
    return this.#config.requireUserAuthentication;
  }
  get allowedOrigins(): readonly string[] {
    return this.#config.allowedOrigins;
  }
  /** `undefined`: the broker's setting applies. */
  get activityTimeoutSeconds(): number | undefined {
    return this.#config.activityTimeoutSeconds;
  }
  /** `null`: no limit. */
  get maxConnectionSeconds(): number | null {
    return this.#config.maxConnectionSeconds;
  }
  get grants(): Grants {
    return this.#config.grants;
  }
  get limits(): Limits {
    return this.#config.limits;
  }
  get hooks(): readonly Hook[] {
    return this.#hooks;
  }

  /** The names of its keys, oldest first. */
  get keys(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** Its keys that verify signatures, with their secrets, oldest first. */
  get secrets(): readonly (readonly [key: string, secret: KeyObject])[] {
    return this.#secretsOf(({ isRevoked }) => !isRevoked);
  }

  /** Its keys that sign, with their secrets, oldest first. */
  get signers(): readonly (readonly [key: string, secret: KeyObject])[] {
    return this.#secretsOf(({ state }) => state === 'active');
  }

  /** Its keys, oldest first. */
  get allKeys(): Iterable<AppKey> {
    return this.#keys.values();
  }

  hasKey(key: string): boolean {
    return this.#keys.has(key);
  }

  keyOf(name: string): AppKey | undefined {
    return this.#keys.get(name);
  }

  /** Whether the app still has a key, with the same secret, and the key is not revoked. */
  accepts(key: AppKey): boolean {
    return this.#keys.get(key.name) === key && !key.isRevoked;
  }

  /** Whether it was revoked, and not removed. */
  hasRevoked(key: AppKey): boolean {
    return this.#keys.get(key.name) === key && key.isRevoked;
  }

  /** Whether a page of this origin may connect. Clients without an `Origin` are not browsers, and may connect. */
  allowsOrigin(origin: string | undefined): boolean {
    return origin === undefined || this.#origins.allows(origin);
  }

  #secretsOf(isMeant: (key: AppKey) => boolean): (readonly [key: string, secret: KeyObject])[] {
    const found: (readonly [string, KeyObject])[] = [];
    for (const key of this.#keys.values()) if (key.secret && isMeant(key)) found.push([key.name, key.secret]);
    return found;
  }

  /** Returns the earlier object of a key with the same secret, so that its signatures stay valid. */
  #unchanged(key: AppKey, config: KeyConfig): AppKey {
    const before = this.#keys.get(key.name);
    if (!before?.equals(key)) return key;
    before.update(config);
    return before;
  }
}

/** What tells an app, whether it is known or not. */
export type AppName = { readonly id: string } | { readonly key: string };

/** The apps of the broker. */
export interface AppStore {
  byId(id: string): App | undefined;
  byKey(key: string): App | undefined;
  all(): Iterable<App>;
}
