/** What soketi and Sockudo set of the server itself, and what takes its place here. */
const REDIS = 'set "redis" (docs/scaling.md): it is all that several nodes need';
const TLS = 'set "tls" (docs/configuration.md)';
const METRICS = 'metrics are always at /metrics (docs/operations.md)';
const OF_APPS = 'limits belong to apps here: set "limits" of each';

export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  adapter: REDIS,
  cache: REDIS,
  queue: REDIS,
  database: REDIS,
  cluster: REDIS,
  instance: REDIS,
  ssl: TLS,
  metrics: METRICS,
  driver: 'apps are in the configuration, or made over the admin API (docs/administration.md)',
  eventLimits: OF_APPS,
  event_limits: OF_APPS,
  channelLimits: OF_APPS,
  channel_limits: OF_APPS,
  presence: OF_APPS,
  rateLimiter: OF_APPS,
  rate_limiter: OF_APPS,
  httpApi: OF_APPS,
  http_api: OF_APPS,
  webhooks: 'each webhook of an app has "maxEvents" and "maxDelayMs"',
  debug: 'set "log.level" (docs/configuration.md)',
  mode: 'set "log.level" (docs/configuration.md)',
  shutdownGracePeriod: 'set "drainTimeoutSeconds" (docs/operations.md)',
  shutdown_grace_period: 'set "drainTimeoutSeconds" (docs/operations.md)',
};
