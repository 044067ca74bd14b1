/** Bans hold, also for clients that connect at the same moment. */
import type { Broker } from '@countersign/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MemoryAdapter } from '#server/adapter/memory/adapter';
import { request } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { startNode } from '../helpers/brokers/running-node.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, type Received } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

type Place = Pick<Broker, 'host' | 'port' | 'url'>;

const ROUNDS = 6;
const CLIENTS = 14;
const has = (text: string) => (received: Received) => typeof received === 'string' && received.includes(text);

/** Does something somewhere within the next milliseconds. */
async function soon<T>(act: () => Promise<T>): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
  return act();
}

/** Makes many clients act as one user during a ban. Each of them may succeed before it or be refused, and none stays. */
async function race(
  places: readonly Place[],
  act: (place: Place) => Promise<unknown>,
  ban: (place: Place) => Promise<unknown>,
) {
  const clients = Array.from({ length: CLIENTS }, (_, n) => soon(() => act(places[n % places.length]!)));
  await Promise.all([soon(() => ban(places.at(-1)!)), ...clients]);
}

async function banWhileTheySignIn(places: readonly Place[]): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `user-${round}`;
    await race(
      places,
      async (place) => {
        const client = await connect(place);
        const answer = await client.signIn({ id });
        if (answer === frames.error(4009, 'Banned', 'blocked')) return client.close();
        // The ban may come before the answer to the sign-in: then the close is what the client hears first.
        const isClosing = answer === frames.error(4009, 'Banned', 'terminated');
        const last = isClosing || has('signin_success')(answer) ? await client.until(isClose) : [answer];
        expect(last.at(-1)).toEqual({ code: 4009, reason: 'Banned' });
      },
      async (place) => {
        const body = { reason: 'Banned', block: 600 };
        const answer = await request(place, 'POST', `/users/${id}/terminate_connections`, { body });
        expect(answer.status).toBe(200);
      },
    );
    for (const place of places)
      await eventually(async () =>
        expect((await request(place, 'GET', `/users/${id}`)).body).toEqual({ id, connections: [] }),
      );
  }
}

const isClose = (received: Received) => typeof received !== 'string';

/** Recognizes the refusal of a join, and the end of a subscription that was quicker than the ban. */
function refusalOf(channel: string): (received: Received) => boolean {
  const refusals: Received[] = ['blocked', 'grant_revoked'].map((code) =>
    frames.subscriptionError(channel, 'AuthError', 'Banned', 403, code),
  );
  return (received) => refusals.includes(received);
}

async function banWhileTheyJoin(places: readonly Place[]): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `user-${round}`;
    const isRefused = refusalOf('presence-room');
    await race(
      places,
      async (place) => {
        const client = await connect(place);
        const answer = await client.join('presence-room', { user_id: id });
        if (has('subscription_succeeded')(answer)) await client.until(isRefused);
        else expect(answer).toSatisfy(isRefused);
        expect(await client.nothing()).toEqual([]);
        client.close();
      },
      async (place) => {
        const body = { user_id: id, reason: 'Banned', block: 600 };
        const answer = await request(place, 'POST', '/channels/presence-room/subscriptions/remove', { body });
        expect(answer.status).toBe(200);
      },
    );
    for (const place of places)
      await eventually(async () =>
        expect((await request(place, 'GET', '/channels/presence-room/users')).body).toEqual({ users: [] }),
      );
  }
}

async function banWhileTheySignInWithAChannel(places: readonly Place[]): Promise<void> {
  const isRefused = refusalOf('private-a');
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `user-${round}`;
    await race(
      places,
      async (place) => {
        const client = await connect(place);
        client.askFor('private-a');
        const first = await client.signIn({ id });
        if (!isRefused(first)) await client.until(isRefused);
        client.close();
      },
      async (place) => {
        const body = { user_id: id, reason: 'Banned', block: 600 };
        await request(place, 'POST', '/channels/private-a/subscriptions/remove', { body });
      },
    );
  }
}

const races = [
  ['sign in', banWhileTheySignIn],
  ['join', banWhileTheyJoin],
  ['sign in with a channel', banWhileTheySignInWithAChannel],
] as const;

describe('a ban reaches every connection that is about to', { timeout: 120_000 }, () => {
  describe.each(races)('%s', (_, run) => {
    test('one process, whose answers take their time', async () => {
      const adapter = new DelayedAdapter(new MemoryAdapter());
      await run([await startServer({ parts: { adapter } })]);
    });

    test('two workers', async () => {
      await run([await startWorkers()]);
    });
  });

  describe.skipIf(!hasRedis)('two nodes on Redis', () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await RedisServer.start();
    });
    afterAll(() => redis.stop());

    test.each(races)('%s', async (name, run) => {
      const settings = { redisPort: redis.port, prefix: name.replaceAll(' ', '-') };
      await run(await Promise.all([startNode(settings), startNode(settings)]));
    });
  });
});
