import proxyAddr from 'proxy-addr';
import { z } from 'zod';
import { appSchema } from '../apps/app.ts';
import { hookIdOf } from '../apps/hook.ts';
import { logSchema } from '../log/log.ts';
import { redisSchema } from '../redis/settings.ts';
import { adminSchema, hasAdmin } from './admin.ts';
import { usageSchema } from './usage.ts';

const seconds = z.int().min(1);
const port = z.int().min(0).max(65_535);

/** Every setting of the broker. docs/configuration.md is its table, and a test compares the two. */
export const configSchema = z
  .strictObject({
    /** Address that the broker listens on; "0.0.0.0" for all. @default "127.0.0.1" */
    host: z.string().min(1).default('127.0.0.1'),
    /** TCP port; 0 takes a free one. @default 6001 */
    port: port.default(6001),
    /** The tenants. @default [] */
    apps: z.array(appSchema).readonly().default([]),
    /** Seconds of silence from a client after which the broker pings it. @default 120 */
    activityTimeoutSeconds: seconds.default(120),
    /** Seconds that a pinged client has to send anything before it is closed with 4201. @default 30 */
    pongTimeoutSeconds: seconds.default(30),
    /** Seconds that a connection has to prove who it is, in an app with `requireUserAuthentication`. @default 30 */
    authenticationTimeoutSeconds: seconds.default(30),
    /** Bytes of the largest frame that a client may send. @default 65_536 */
    maxMessageBytes: z.int().min(1024).default(65_536),
    /** Bytes that may wait for a slow reader before it is disconnected. @default 1_048_576 */
    maxBufferedBytes: z.int().min(1024).default(1_048_576),
    /**
     * WebSockets of one process; what the limit of file descriptors leaves room for, if that is less. Without it as
     * many as it leaves room for.
     */
    maxConnections: z.int().min(1).optional(),
    /**
     * WebSockets of one address in one process, and as many connections of it that are none; null: no limit. Without
     * it a quarter of `maxConnections`, but for the loopback, which has no limit.
     */
    connectionsPerAddress: z.union([z.int().min(1), z.null()]).optional(),
    /** Seconds that an HTTP request has to arrive, its body included. @default 30 */
    requestTimeoutSeconds: seconds.default(30),
    /** Seconds that a client has to read the answers to its HTTP requests. @default 60 */
    answerTimeoutSeconds: seconds.default(60),
    /** Seconds that an HTTP connection may wait for its next request; more than a balancer in front waits. @default 75 */
    keepAliveSeconds: seconds.default(75),
    /**
     * Bytes that may wait for all clients of one process together; beyond it those for whom the most waits are
     * disconnected. Without it an eighth of the memory.
     */
    maxBufferedTotalBytes: z.int().min(1_048_576).optional(),
    /** Bytes of the events that the cache channels of all apps keep. @default 268_435_456 */
    keptBytes: z.int().min(1).default(268_435_456),
    /** Bytes of the events that channels with a history keep, of all apps together. @default 268_435_456 */
    historyMaxTotalBytes: z.int().min(1024).default(268_435_456),
    /** Most milliseconds that a big flush may hold back the next one; 0 turns pacing off. @default 5 */
    flushGapMaxMs: z.int().min(0).max(1000).default(5),
    /** Seconds for which the code of a process is exercised before it listens; 0 turns it off. @default 2 */
    warmUpSeconds: z.int().min(0).max(10).default(2),
    /** Seconds over which a stopping broker closes its connections. @default 5 */
    drainWindowSeconds: z.int().min(0).default(5),
    /** Seconds after which a stopping broker ends whatever is still open. @default 30 */
    drainTimeoutSeconds: seconds.default(30),
    /** Refused HTTP API requests per minute and address before 429; null turns it off. @default 60 */
    failedAuthenticationsPerMinute: z.union([z.int().min(1), z.null()]).default(60),
    /**
     * Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: false (nobody), true (everybody), the number of
     * proxies in front, or a list of addresses and CIDR ranges. @default false
     */
    trustProxy: z
      .union([z.boolean(), z.int().min(1), z.array(z.string()).min(1).readonly()])
      .refine(isTrustable, 'expected IP addresses, CIDR ranges, "loopback", "linklocal" or "uniquelocal"')
      .default(false),
    /** What makes several brokers one service; without it each one is a service of its own. */
    redis: redisSchema.optional(),
    /**
     * Seconds within which what a dead node held is gone from Redis, and a worker that hangs is killed.
     * @default 10
     */
    nodeTimeoutSeconds: z.int().min(2).max(600).default(10),
    /** Directory that outlives the broker: its webhooks and blocks are kept there. Without one they end with the process. */
    data: z.string().min(1).optional(),
    /** Seconds within which a return undoes `channel_vacated`, `member_removed` and `user_offline`. @default 3 */
    webhookGraceSeconds: z.int().min(0).max(3600).default(3),
    /** The same after a restart, for what was there before it. @default 60 */
    webhookRestartGraceSeconds: z.int().min(0).max(3600).default(60),
    /** Seconds after its first attempt until which a webhook is tried again. @default 86_400 */
    webhookRetrySeconds: z.int().min(0).default(86_400),
    /** Seconds for which events and dead letters are kept. @default 1_209_600 */
    webhookLogSeconds: seconds.default(1_209_600),
    /**
     * Deliveries of one webhook that may wait; the oldest beyond them become dead letters, of which as many are kept.
     * @default 100_000
     */
    webhookMaxPending: z.int().min(1).default(100_000),
    /** Events of one app that are kept in the log; beyond them the oldest go. @default 1_000_000 */
    webhookMaxLogEvents: z.int().min(1).default(1_000_000),
    /**
     * Bytes that the deliveries of one app that wait may take, as many its dead letters, and as many its log of events.
     * @default 67_108_864
     */
    webhookMaxBytes: z.int().min(1_048_576).default(67_108_864),
    /** The same of all apps together. @default 268_435_456 */
    webhookMaxTotalBytes: z.int().min(1_048_576).default(268_435_456),
    /**
     * Which receivers are called: "public" ones only, or "any". Without it "any" if `host` is loopback and nothing is
     * in `trustProxy`.
     */
    webhookAddresses: z.enum(['public', 'any']).optional(),
    /**
     * File of the Ed25519 private key in PKCS#8 PEM format that signs webhooks with `signature: "ed25519"`. Without it
     * a key that is made in `data`.
     */
    webhookSigningKey: z.string().min(1).optional(),
    /** The log of who was let into what. */
    audit: z
      .strictObject({
        /** Whether it is written. @default false */
        enabled: z.boolean().default(false),
        /** Seconds for which records are kept; whole files are removed. @default 7_776_000 */
        keepSeconds: seconds.default(7_776_000),
        /** Bytes of all records; beyond them the oldest go. @default 1_073_741_824 */
        maxBytes: z.int().min(1_048_576).default(1_073_741_824),
        /** Whether grants are refused while records cannot be written. @default false */
        required: z.boolean().default(false),
        /** Whether records hold whole addresses, and not their networks only. @default false */
        fullAddresses: z.boolean().default(false),
      })
      .readonly()
      .prefault({}),
    usage: usageSchema.prefault({}),
    /** Whether `/console` is there for people to look. @default true */
    console: z.boolean().default(true),
    /** Who administers the broker: see docs/administration.md. */
    admin: adminSchema.prefault({}),
    /** Path in front of every route, such as "/realtime". @default "" */
    pathPrefix: z
      .string()
      .refine((path) => /^(\/[A-Za-z0-9._~-]+)*$/.test(path), 'expected "" or a path such as "/realtime"')
      .default(''),
    /** Files in PEM format; with them the broker serves wss and https itself. */
    tls: z
      .strictObject({
        /** File of the certificate chain. */
        cert: z.string().min(1),
        /** File of the private key. */
        key: z.string().min(1),
      })
      .readonly()
      .optional(),
    log: logSchema,
    /**
     * Where `GET /metrics` is answered: without both settings on the main port, if that is loopback. Without a token
     * loopback answers this machine only, and nobody through a proxy.
     */
    metrics: z
      .strictObject({
        /** A port of its own, on the same host. */
        port: port.optional(),
        /** Bearer token that a request must carry. */
        token: z.string().min(8).optional(),
      })
      .readonly()
      .prefault({}),
  })
  .readonly()
  .superRefine(refuseImpossiblePairs);

/** What the broker runs with: complete, checked and frozen. */
export type Config = z.infer<typeof configSchema>;
/** What a configuration file may hold: everything with a default may be left out. */
export type ConfigInput = z.input<typeof configSchema>;

function isTrustable(value: boolean | number | readonly string[]): boolean {
  if (typeof value !== 'object') return true;
  try {
    proxyAddr.compile([...value]);
    return true;
  } catch {
    return false;
  }
}

function refuseImpossiblePairs(config: z.infer<typeof configSchema>, context: z.RefinementCtx): void {
  const refuse = (path: PropertyKey[], input: unknown, message: string) =>
    context.addIssue({ code: 'custom', path, input, message });
  const ids = new Set<string>();
  const keys = new Set<string>();
  for (const [index, app] of config.apps.entries()) {
    if (ids.has(app.id)) refuse(['apps', index, 'id'], app.id, 'expected an id that no other app has');
    ids.add(app.id);
    for (const [keyIndex, { key }] of app.keys.entries()) {
      if (keys.has(key)) {
        refuse(['apps', index, 'keys', keyIndex, 'key'], key, 'expected a key that stands nowhere else');
      }
      keys.add(key);
    }
    if (app.historyDurable && !config.redis && config.data === undefined) {
      refuse(
        ['apps', index, 'historyDurable'],
        app.historyDurable,
        'expected data or redis, where the histories are kept',
      );
    }
    const hookIds = new Set<string>();
    for (const [hookIndex, webhook] of app.webhooks.entries()) {
      const id = hookIdOf(webhook);
      if (hookIds.has(id)) {
        refuse(
          ['apps', index, 'webhooks', hookIndex, 'id'],
          id,
          'expected an id that no other webhook of the app has',
        );
      }
      hookIds.add(id);
      if (
        webhook.signature !== undefined &&
        config.webhookSigningKey === undefined &&
        config.data === undefined
      ) {
        refuse(
          ['apps', index, 'webhooks', hookIndex, 'signature'],
          webhook.signature,
          'expected webhookSigningKey, or data, in which a key is made: a receiver must find the same key after a restart, and on all nodes',
        );
      }
    }
  }
  const eventDataBytes = Math.max(0, ...config.apps.map((app) => app.limits.eventDataBytes));
  for (const name of ['maxMessageBytes', 'maxBufferedBytes'] as const) {
    if (config[name] >= eventDataBytes) continue;
    refuse([name], config[name], `expected at least ${eventDataBytes}, the largest eventDataBytes of an app`);
  }
  if (config.drainWindowSeconds > config.drainTimeoutSeconds) {
    refuse(
      ['drainWindowSeconds'],
      config.drainWindowSeconds,
      `expected at most ${config.drainTimeoutSeconds}, the drainTimeoutSeconds`,
    );
  }
  if (config.redis && config.data !== undefined) {
    refuse(
      ['data'],
      config.data,
      'expected no data directory together with redis, which keeps everything then',
    );
  }
  if (config.redis && hasAdmin(config.admin) && config.admin.masterKey === undefined) {
    refuse(
      ['admin', 'masterKey'],
      undefined,
      'expected the key that all nodes of the cluster share, as openssl rand -base64 32 prints',
    );
  }
  if (config.metrics.port && config.metrics.port === config.port) {
    refuse(['metrics', 'port'], config.port, 'expected another port than that of the broker');
  }
}

/** Whether apps are in Redis, where any node may change them. */
export function sharesApps({ redis, admin }: Config): boolean {
  return redis !== undefined && admin.masterKey !== undefined;
}
