/** Brokers that are killed at random moments while a backend publishes: each event is published exactly once. */
import { setTimeout as delay } from 'node:timers/promises';
import { Countersign } from '@countersign/sdk-server';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP } from '../helpers/brokers/server.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { numRuns, PROPERTY_TIMEOUT_MS } from '../helpers/property.ts';
import { freePort, hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const ROOM = 'private-room';
const KILLS = numRuns(5);
const BEFORE_EACH = 3;
/** Milliseconds about as long as a publish takes: the kill comes before its effect, after it, or after the answer. */
const PUBLISH_MS = 6;
const PATIENCE_MS = 60_000;
const app = {
  id: APP.id,
  keys: [{ key: APP.key, secret: APP.secret }],
  history: [{ channels: '*', seconds: 3600, messages: 10_000 }],
};

/** The names of all events of the room, in order. */
async function namesOf(place: { readonly url: string }): Promise<string[]> {
  const names: string[] = [];
  let after: string | undefined;
  for (;;) {
    const query = { limit: '1000', ...(after !== undefined && { after }) };
    const { body } = await request(place, 'GET', `/channels/${ROOM}/events`, { query });
    const page = body as { events: { name: string }[]; position: string; complete: boolean };
    names.push(...page.events.map(({ name }) => name));
    if (page.complete) return names;
    after = page.position;
  }
}

const KEPT = [
  {
    where: 'Redis',
    isMissing: !hasRedis,
    async keep() {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      return { redis: { url: `redis://127.0.0.1:${redis.port}` }, apps: [app] };
    },
  },
  {
    where: 'its data directory',
    isMissing: false,
    keep: async () => ({ data: newFolder(), apps: [{ ...app, historyDurable: true }] }),
  },
];

for (const { where, isMissing, keep } of KEPT) {
  test.skipIf(isMissing)(
    `a broker that keeps histories in ${where} has published each event once, in order, after ${KILLS} kills`,
    { timeout: PROPERTY_TIMEOUT_MS },
    async () => {
      const moments = fc.array(fc.double({ min: 0, max: PUBLISH_MS, noNaN: true }), {
        minLength: KILLS,
        maxLength: KILLS,
      });
      const property = fc.asyncProperty(moments, async (killsAfterMs) => {
        const config = { ...(await keep()), host: '127.0.0.1', port: await freePort() };
        let broker = await MortalBroker.start(config);
        const { id: appId, key, secret } = APP;
        const backend = new Countersign({ appId, key, secret, host: config.host, port: config.port });
        const published: string[] = [];
        // The SDK sends an event again by itself; a backend that waits for longer than the SDK does names the same key again.
        const publish = () => {
          const name = `e-${published.length}`;
          published.push(name);
          return eventually(() => backend.trigger(ROOM, name, {}, { idempotencyKey: name }), PATIENCE_MS);
        };
        for (const moment of killsAfterMs) {
          for (let n = 0; n < BEFORE_EACH; n += 1) await publish();
          const last = publish();
          await delay(moment);
          await broker.end('SIGKILL');
          broker = await MortalBroker.start(config);
          await last;
        }
        expect(await namesOf(broker.broker)).toEqual(published);
        await broker.end('SIGKILL');
      });
      // A smaller schedule is another one: processes are not repeated to the microsecond.
      await fc.assert(property, { numRuns: 1, endOnFailure: true });
    },
  );
}
