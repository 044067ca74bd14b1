/** Brokers of every kind on which a revocation must do the same, and what their tests ask of them. */
import type { Broker } from '@countersign/server';
import { request } from '../helpers/api.ts';
import { startNode } from '../helpers/brokers/running-node.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import type { Received } from '../helpers/clients/client.ts';
import type { RedisServer } from '../helpers/redis/redis.ts';

export type Place = Pick<Broker, 'host' | 'port' | 'url'>;

/** Starts brokers that share everything. */
export type Start = (app?: Readonly<Record<string, unknown>>) => Promise<readonly [Place, Place]>;

export const oneProcess: Start = async (app) => {
  const broker = await startServer({ app: app ?? {} });
  return [broker, broker];
};

export const twoWorkers: Start = async (app) => {
  const group = await startWorkers({ app });
  return [group, group];
};

let prefixes = 0;

export function twoNodes(redis: () => RedisServer): Start {
  return async (app) => {
    prefixes += 1;
    const settings = { redisPort: redis().port, prefix: `revocations-${prefixes}`, app: app ?? {} };
    return Promise.all([startNode(settings), startNode(settings)]);
  };
}

export interface Answer {
  readonly id: string;
  readonly ended: { readonly subscriptions: number; readonly connections: number };
  readonly nodes: { readonly acknowledged: number; readonly total: number };
  readonly took_ms: number;
}

export async function revoke(place: Place, body: object): Promise<{ status: number; body: Answer }> {
  return (await request(place, 'POST', '/revocations', { body })) as { status: number; body: Answer };
}

export const has = (text: string) => (received: Received) =>
  typeof received === 'string' && received.includes(text);
