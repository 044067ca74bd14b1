import { setTimeout as delay } from 'node:timers/promises';
import { Countersign } from '@countersign/sdk-server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { eventually } from '../helpers/eventually.ts';
import { numRuns, PROPERTY_TIMEOUT_MS } from '../helpers/property.ts';
import { freePort, hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const ROOM = 'private-room';
const KILLS = numRuns(5);
const BEFORE_EACH = 3;
/** Milliseconds about as long as a publish takes: the kill comes before its effect, after it, or after the answer. */
const PUBLISH_MS = 6;
const PATIENCE_MS = 60_000;
const history = [{ channels: '*', seconds: 3600, messages: 10_000 }];

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

describe.skipIf(!hasRedis)('a node that is killed while a backend publishes', () => {
  test(`has published each event once, in order, after ${KILLS} kills`, {
    timeout: PROPERTY_TIMEOUT_MS,
  }, async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const shared = { redis: { url: `redis://127.0.0.1:${redis.port}` } };
    const witness = await startServer({ config: shared, app: { history } });
    const config = {
      ...shared,
      host: '127.0.0.1',
      port: await freePort(),
      apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], history }],
    };
    let node = await MortalBroker.start(config);
    const backend = new Countersign({
      appId: APP.id,
      key: APP.key,
      secret: APP.secret,
      host: '127.0.0.1',
      port: config.port,
    });
    const published: string[] = [];
    // The SDK sends an event again by itself; a backend that waits for longer than the SDK does names the same key again.
    const publish = () => {
      const name = `e-${published.length}`;
      published.push(name);
      return eventually(() => backend.trigger(ROOM, name, {}, { idempotencyKey: name }), PATIENCE_MS);
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      for (let n = 0; n < BEFORE_EACH; n += 1) await publish();
      const last = publish();
      await delay(Math.random() * PUBLISH_MS);
      await node.end('SIGKILL');
      node = await MortalBroker.start(config);
      await last;
    }
    expect(await namesOf(witness)).toEqual(published);
  });
});
