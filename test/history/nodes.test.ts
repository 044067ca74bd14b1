import { describe, expect, onTestFinished, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { authorize, connectCapable, type TestClient } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const ROOM = 'private-room';
const history = [{ channels: '*', seconds: 600, messages: 100 }];
const PATIENCE_MS = 30_000;

interface Acknowledgement {
  readonly position: string;
  readonly recovery?: { readonly status: string; readonly count: number };
}

async function join(client: TestClient, after?: string): Promise<Acknowledgement> {
  const auth = authorize(client.socketId, ROOM);
  client.subscribe(ROOM, { auth, ...(after !== undefined && { after }) });
  const acknowledgement = JSON.parse(String(await client.next(PATIENCE_MS)));
  expect(acknowledgement).toMatchObject({ event: 'pusher_internal:subscription_succeeded' });
  return acknowledgement;
}

function say(client: TestClient, data: string): void {
  client.send({ event: 'client-say', channel: ROOM, data, id: data });
}

/** The broker's answer to a client event: its name and data. */
async function answer(client: TestClient) {
  const { event, data } = await client.nextMessage(PATIENCE_MS);
  return { event, ...JSON.parse(String(data)) };
}

async function nextData(client: TestClient): Promise<unknown> {
  return (await client.nextMessage(PATIENCE_MS)).data;
}

describe('workers', () => {
  test('keep the history that a killed one has published, and its acknowledgement is a position', async () => {
    const group = await startWorkers({ app: { history } });
    const sender = await connectCapable(group);
    await join(sender);
    say(sender, '1');
    const { position } = await answer(sender);
    const worker = await group.workerOf(sender.socketId);
    const reader = await connectCapable(group);
    expect((await join(reader, position)).recovery).toEqual({ status: 'current', count: 0 });
    say(sender, '2');
    expect(await answer(sender)).toMatchObject({ event: 'countersign:ack', id: '2' });
    await group.killWorker(worker);
    await publish(group, ROOM, 'e', '3');
    const back = await connectCapable(group);
    expect((await join(back, position)).recovery).toEqual({ status: 'replayed', count: 2 });
    await publish(group, ROOM, 'e', '4');
    expect([await nextData(back), await nextData(back), await nextData(back)]).toEqual(['2', '3', '4']);
  }, 60_000);
});

describe.skipIf(!hasRedis)('nodes on Redis', () => {
  async function start() {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const valve = await Valve.open(redis.port);
    onTestFinished(() => valve.close());
    const config = { redis: { url: `redis://127.0.0.1:${redis.port}` } };
    return { config, valve, shutConfig: { redis: { url: `redis://127.0.0.1:${valve.port}` } } };
  }

  test('keep what a killed one has acknowledged: whoever was there comes back to another', async () => {
    const { config } = await start();
    const second = await startServer({ config, app: { history } });
    const mortal = await MortalBroker.start({
      ...config,
      host: '127.0.0.1',
      port: 0,
      apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], history }],
    });
    const [sender, reader] = [await connectCapable(mortal.broker), await connectCapable(mortal.broker)];
    const { position: start0 } = await join(reader);
    await join(sender);
    const acknowledged: string[] = [];
    for (const data of ['1', '2', '3']) {
      say(sender, data);
      const { event, position } = await answer(sender);
      expect(event).toBe('countersign:ack');
      acknowledged.push(position);
    }
    await mortal.end('SIGKILL');
    await publish(second, ROOM, 'e', '4');
    const readerBack = await connectCapable(second);
    expect((await join(readerBack, start0)).recovery).toEqual({ status: 'replayed', count: 4 });
    for (const data of ['1', '2', '3', '4']) expect(await nextData(readerBack)).toBe(data);
    const senderBack = await connectCapable(second);
    expect((await join(senderBack, acknowledged[2])).recovery).toEqual({ status: 'replayed', count: 1 });
    expect(await nextData(senderBack)).toBe('4');
  }, 60_000);

  test('acknowledge nothing while they are cut off, and whoever was told so can say it again', async () => {
    const { config, shutConfig, valve } = await start();
    const other = await startServer({ config, app: { history } });
    const cut = await startServer({ config: shutConfig, app: { history } });
    const [sender, reader] = [await connectCapable(cut), await connectCapable(other)];
    await join(sender);
    await join(reader);
    say(sender, '1');
    expect(await answer(sender)).toMatchObject({ event: 'countersign:ack', id: '1' });
    expect(await nextData(reader)).toBe('1');
    valve.cut();
    valve.shut();
    say(sender, '2');
    expect(await answer(sender)).toMatchObject({ event: 'countersign:nack', id: '2', code: 'unavailable' });
    valve.reopen();
    // Until the node has its connection to Redis again, it lets nobody in.
    const position = await eventually(async () => {
      const again = await connectCapable(cut);
      await join(again);
      say(again, '2');
      const told = await answer(again);
      expect(told).toMatchObject({ event: 'countersign:ack', id: '2' });
      return told.position;
    }, PATIENCE_MS);
    const back = await connectCapable(other);
    expect((await join(back, position)).recovery).toMatchObject({ status: 'current' });
  }, 90_000);
});
