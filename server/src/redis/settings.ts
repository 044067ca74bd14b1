import { z } from 'zod';

const url = z
  .string()
  .refine(isRedisUrl, 'expected a URL such as "redis://user:password@host:6379", or rediss:// for TLS');
const urls = z.array(url).min(1).readonly();

/** How to reach Redis, by exactly one of `url`, `sentinel` and `cluster`. */
export const redisSchema = z
  .strictObject({
    /** One server. */
    url: url.optional(),
    /** With what the name of each key begins: brokers with the same one are nodes of one service. @default "countersign" */
    prefix: z
      .string()
      .refine((text) => /^[\w.:-]{1,64}$/.test(text), 'expected 1 to 64 of A-Z a-z 0-9 _ . : -')
      .default('countersign'),
    /** A server that sentinels watch. */
    sentinel: z
      .strictObject({
        /** The name of the server at the sentinels. */
        name: z.string().min(1),
        /** URLs of the sentinels. */
        nodes: urls,
        /** The user of the server; those of the sentinels are in their URLs. */
        username: z.string().min(1).optional(),
        /** The password of the server. */
        password: z.string().min(1).optional(),
      })
      .readonly()
      .optional(),
    /** A Redis Cluster. */
    cluster: z
      .strictObject({
        /** URLs of some of its servers; the user and password of the first one apply to all. */
        nodes: urls,
      })
      .readonly()
      .optional(),
    /** Files in PEM format for the TLS of `rediss://`, read again for each connection. */
    tls: z
      .strictObject({
        /** File of the CA certificates that verify servers. */
        ca: z.string().min(1).optional(),
        /** File of the certificate chain of the broker. */
        cert: z.string().min(1).optional(),
        /** File of the private key of that certificate. */
        key: z.string().min(1).optional(),
      })
      .refine(({ cert, key }) => Boolean(cert) === Boolean(key), 'expected both cert and key, or neither')
      .readonly()
      .optional(),
  })
  .refine(
    ({ url, sentinel, cluster }) => [url, sentinel, cluster].filter((place) => place).length === 1,
    'expected exactly one of url, sentinel and cluster',
  )
  .refine((redis) => !redis.tls || protocolsOf(redis).includes('rediss:'), {
    path: ['tls'],
    message: 'expected URLs that begin with rediss://',
  })
  .refine(
    (redis) => protocolsOf(redis).length < 2,
    'expected URLs that all begin with redis://, or with rediss://',
  )
  .readonly();

/** How to reach Redis. */
export type RedisSettings = z.infer<typeof redisSchema>;

function isRedisUrl(text: string): boolean {
  return URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol);
}

interface Place {
  readonly url?: string | undefined;
  readonly sentinel?: { readonly nodes: readonly string[] } | undefined;
  readonly cluster?: { readonly nodes: readonly string[] } | undefined;
}

/** The protocols of the URLs, each once. */
function protocolsOf({ url = '', sentinel, cluster }: Place): string[] {
  const urls = [url, ...(sentinel?.nodes ?? []), ...(cluster?.nodes ?? [])].filter(isRedisUrl);
  return [...new Set(urls.map((each) => new URL(each).protocol))];
}

/** The settings with masked passwords. */
export function describeRedis({ url, sentinel, cluster, ...rest }: RedisSettings, mask: string): object {
  const hide = (text: string): string => {
    const shown = new URL(text);
    if (shown.password) shown.password = mask;
    return shown.href;
  };
  return {
    ...rest,
    ...(url && { url: hide(url) }),
    ...(sentinel && {
      sentinel: {
        ...sentinel,
        nodes: sentinel.nodes.map(hide),
        ...(sentinel.password && { password: mask }),
      },
    }),
    ...(cluster && { cluster: { nodes: cluster.nodes.map(hide) } }),
  };
}
