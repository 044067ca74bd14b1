import { createHash, type KeyObject } from 'node:crypto';
import { webhookSecretKey } from '@countersign/sdk-server/signature';
import { z } from 'zod';

/** The names of all webhook events. */
export const webhookEventNames = [
  'channel_occupied',
  'channel_vacated',
  'member_added',
  'member_removed',
  'client_event',
  'cache_miss',
  'subscription_count',
  'user_online',
  'user_offline',
  'grant_expired',
  'grant_revoked',
  'quota_warning',
] as const;

export type WebhookEventName = (typeof webhookEventNames)[number];

/** Headers of a delivery that the broker sends itself. */
export const OWN_HEADERS = /^(host|connection|content-|transfer-encoding|user-agent|x-pusher-|webhook-)/i;

/** The command that makes a secret for a webhook. */
export const MAKE_WEBHOOK_SECRET = 'echo "whsec_$(openssl rand -base64 32)"';

/** A secret of the Standard Webhooks specification. */
export const webhookSecretSchema = z
  .string()
  .refine(
    (text) => webhookSecretKey(text) !== undefined,
    `expected "whsec_" and the base64 of 24 to 64 bytes, as ${MAKE_WEBHOOK_SECRET} prints`,
  );

/** One webhook of an app, in the configuration. */
export const webhookSchema = z
  .strictObject({
    /** The id of the hook in its app. @default the first 8 hex digits of the SHA-256 of `url` */
    id: z
      .string()
      .refine((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id), 'expected 1 to 64 of A-Z a-z 0-9 _ -')
      .optional(),
    /** The URL that receives deliveries by POST. */
    url: z.string().refine(isCallable, 'expected an http or https URL without a user name and a fragment'),
    /** The events that it receives. */
    events: z.array(z.enum(webhookEventNames)).min(1).readonly(),
    /** Limits events to channels whose names begin with it. Events without a channel are always sent. */
    channelPrefix: z.string().min(1).optional(),
    /** Headers of each request. Their values are never shown. */
    headers: z
      .record(
        z
          .string()
          .refine(
            (name) => isHeaderName(name) && !OWN_HEADERS.test(name),
            'expected a header that the broker does not send itself',
          ),
        z.string().refine((value) => /^[\t\x20-\x7e]*$/.test(value), 'expected printable ASCII'),
      )
      .default({}),
    /** Events that one request may carry. @default 1 */
    maxEvents: z.int().min(1).max(100).default(1),
    /** Milliseconds that a first event waits for others of its channel. @default 0 */
    maxDelayMs: z.int().min(0).max(60_000).default(0),
    /** Signs in the place of the keys of the app, so that the receiver needs no secret of the app. */
    secret: webhookSecretSchema.optional(),
    /** The same with two secrets and two signatures, while one replaces the other. */
    secrets: z.array(webhookSecretSchema).min(1).max(2).readonly().optional(),
    /** "ed25519": signs with the key of the broker, whose public half anybody may read. */
    signature: z.enum(['ed25519']).optional(),
    /**
     * Whether `X-Pusher-Key` and `X-Pusher-Signature` are sent, which only the secret of the app verifies. Without it
     * true if the webhook has no signature of its own.
     */
    pusherSignature: z.boolean().optional(),
  })
  .superRefine(({ secret, secrets }, context) => {
    if (secret === undefined || secrets === undefined) return;
    const message = 'expected either secret or secrets';
    context.addIssue({ code: 'custom', path: ['secrets'], message });
  })
  .readonly();

export type WebhookConfig = z.infer<typeof webhookSchema>;

/** The key of one hook among all apps. */
export type HookKey = `${string}:${string}`;

export function hookKeyOf(appId: string, hookId: string): HookKey {
  return `${appId}:${hookId}`;
}

/** Ids of apps hold no colon. */
export function appOfHook(key: HookKey): string {
  return key.slice(0, key.indexOf(':'));
}

/** One webhook of one app. A reload replaces the object; a new object with the same key continues the old one. */
export class Hook {
  readonly id: string;
  readonly key: HookKey;
  readonly url: string;
  readonly events: readonly WebhookEventName[];
  readonly channelPrefix: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxEvents: number;
  readonly maxDelayMs: number;
  /** Its own secrets; none: the keys of the app sign. */
  readonly secrets: readonly KeyObject[];
  /** Whether the key of the broker signs. */
  readonly isSignedByBroker: boolean;
  /** Whether the headers of the Channels protocol are sent. */
  readonly hasPusherSignature: boolean;

  constructor(
    readonly appId: string,
    config: WebhookConfig,
  ) {
    this.id = hookIdOf(config);
    this.key = hookKeyOf(appId, this.id);
    this.url = config.url;
    this.events = config.events;
    this.channelPrefix = config.channelPrefix;
    this.headers = config.headers;
    this.maxEvents = config.maxEvents;
    this.maxDelayMs = config.maxDelayMs;
    this.secrets = secretsOf(config).flatMap((text) => webhookSecretKey(text) ?? []);
    this.isSignedByBroker = config.signature === 'ed25519';
    this.hasPusherSignature = config.pusherSignature ?? (this.secrets.length === 0 && !this.isSignedByBroker);
  }

  /** @param channel `undefined` for an event without a channel */
  wants(name: WebhookEventName, channel: string | undefined): boolean {
    if (!this.events.includes(name)) return false;
    return (
      this.channelPrefix === undefined || channel === undefined || channel.startsWith(this.channelPrefix)
    );
  }
}

/** The secrets of one webhook. */
export function secretsOf({ secret, secrets = [] }: WebhookConfig): readonly string[] {
  return secret === undefined ? secrets : [secret];
}

/** The id of a hook: the configured one, or the default. */
export function hookIdOf({ id, url }: Pick<WebhookConfig, 'id' | 'url'>): string {
  return id ?? createHash('sha256').update(url).digest('hex').slice(0, 8);
}

/** Whether the broker can post to a URL. */
export function isCallable(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, username, password, hash } = new URL(url);
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '';
}

function isHeaderName(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name);
}
