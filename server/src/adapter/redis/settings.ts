import { z } from 'zod';

const url = z
  .string()
  .refine(isRedisUrl, 'expected a URL such as "redis://user:password@host:6379", or rediss:// for TLS');
const urls = z.array(url).min(1).readonly();

/** Where Redis is, by exactly one of `url`, `sentinel` and `cluster`. */
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
        /** What the sentinels call it. */
        name: z.string().min(1),
        /** URLs of the sentinels. */
        nodes: urls,
        /** For the server; what the sentinels ask for stands in their URLs. */
        username: z.string().min(1).optional(),
        /** For the server. */
        password: z.string().min(1).optional(),
      })
      .readonly()
      .optional(),
    /** A Redis Cluster. */
    cluster: z
      .strictObject({
        /** URLs of some of its servers; user and password of the first one are for all. */
        nodes: urls,
      })
      .readonly()
      .optional(),
  })
  .refine(
    ({ url, sentinel, cluster }) => [url, sentinel, cluster].filter((place) => place).length === 1,
    'expected exactly one of url, sentinel and cluster',
  )
  .readonly();

/** Where Redis is. */
export type RedisSettings = z.infer<typeof redisSchema>;

function isRedisUrl(text: string): boolean {
  return URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol);
}

/** Settings as they may be shown: passwords are masked. */
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
