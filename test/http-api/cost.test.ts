/** What a publish and a connection cost, as counts: times would depend on the machine. */
import { createHook } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { bodyMd5, requestText, sign } from '@countersign/sdk-server/signature';
import { expect, onTestFinished, test, vi } from 'vitest';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { BareClient } from '../helpers/clients/bare-client.ts';

const PUBLISHES = 200;
const EVENT = { name: 'headline', channel: 'news', data: '{}' };
const UNLIMITED = { limits: { httpRequestsPerSecond: null } };

test('a publish makes three promises: its answer, its body, and the wait for that', async () => {
  const broker = await startServer(UNLIMITED);
  await BareClient.subscribe(broker.port, 'news');
  const publisher = await connectTo(broker.port);
  await publish(publisher, PUBLISHES);

  expect(await promisesOf(() => publish(publisher, PUBLISHES))).toBe(3);
});

test('a batch makes as many promises for two events under idempotency keys as for a hundred', async () => {
  const broker = await startServer({ limits: { httpRequestsPerSecond: null, batchSize: 100 } });
  await BareClient.subscribe(broker.port, 'news');
  const publisher = await connectTo(broker.port);
  const promises: number[] = [];
  for (const size of [2, 100]) {
    let count = 0;
    // A key of its own for each event, as the server SDK sends them.
    const bodyOf = () => {
      count += 1;
      const keys = Array.from({ length: size }, (_, n) => `${size}-${count}-${n}`);
      return JSON.stringify({ batch: keys.map((idempotency_key) => ({ ...EVENT, idempotency_key })) });
    };
    await publish(publisher, PUBLISHES, 'batch_events', bodyOf);
    promises.push(await promisesOf(() => publish(publisher, PUBLISHES, 'batch_events', bodyOf)));
  }
  const [ofTwo, ofHundred] = promises;
  expect(ofHundred).toBe(ofTwo);
  expect(ofHundred).toBeLessThan(20);
});

test('a connection is written its handshake, its id and its acknowledgement, and once for each event', async () => {
  const writes: (() => number)[] = [];
  const accept = (message: unknown) => {
    const { socket } = message as { readonly socket: Socket };
    const written = vi.spyOn(socket, 'write');
    writes.push(() => written.mock.calls.length);
  };
  subscribe('net.server.socket', accept);
  onTestFinished(() => void unsubscribe('net.server.socket', accept));
  const broker = await startServer(UNLIMITED);
  const client = await BareClient.subscribe(broker.port, 'news');
  const [ofClient] = writes;
  expect(ofClient?.()).toBe(3);

  const publisher = await connectTo(broker.port);
  client.received = '';
  for (let n = 1; n <= 3; n += 1) {
    await publish(publisher, 1);
    await client.until('"event":"headline"');
    client.received = '';
    expect(ofClient?.()).toBe(3 + n);
  }
});

async function connectTo(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** How many promises are made for each of the publishes. */
async function promisesOf(publishAll: () => Promise<void>): Promise<number> {
  let promises = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises += 1;
    },
  }).enable();
  await publishAll();
  hook.disable();
  return Math.round(promises / PUBLISHES);
}

/** Publishes so many times, each after the answer to the one before, without a promise for each. */
function publish(
  socket: Socket,
  times: number,
  endpoint = 'events',
  bodyOf = () => JSON.stringify(EVENT),
): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = times;
    const onAnswer = (answer: Buffer): void => {
      const text = answer.toString('latin1');
      if (!text.startsWith('HTTP/1.1 200 ')) return reject(new Error(text));
      left -= 1;
      if (left > 0) return void socket.write(requestOf(endpoint, bodyOf()));
      socket.off('data', onAnswer);
      resolve();
    };
    socket.on('data', onAnswer);
    socket.write(requestOf(endpoint, bodyOf()));
  });
}

function requestOf(endpoint: string, body: string): string {
  const path = `/apps/${APP.id}/${endpoint}`;
  const timestamp = Math.floor(Date.now() / 1000);
  const query = `auth_key=${APP.key}&auth_timestamp=${timestamp}&auth_version=1.0&body_md5=${bodyMd5(body)}`;
  const signature = sign(APP.secret, requestText('POST', path, query));
  const head = `POST ${path}?${query}&auth_signature=${signature} HTTP/1.1\r\nHost: localhost`;
  return `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
