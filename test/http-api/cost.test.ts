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
const UNLIMITED = { limits: { httpRequestsPerSecond: null } };

test('a publish makes three promises: its answer, its body, and the wait for that', async () => {
  const broker = await startServer(UNLIMITED);
  await BareClient.subscribe(broker.port, 'news');
  const publisher = await connectTo(broker.port);
  await publish(publisher, PUBLISHES);

  let promises = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises += 1;
    },
  }).enable();
  await publish(publisher, PUBLISHES);
  hook.disable();
  expect(Math.round(promises / PUBLISHES)).toBe(3);
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

/** Publishes the same event so many times, each after the answer to the one before, without a promise for each. */
function publish(socket: Socket, times: number): Promise<void> {
  const body = JSON.stringify({ name: 'headline', channel: 'news', data: '{}' });
  const path = `/apps/${APP.id}/events`;
  const timestamp = Math.floor(Date.now() / 1000);
  const query = `auth_key=${APP.key}&auth_timestamp=${timestamp}&auth_version=1.0&body_md5=${bodyMd5(body)}`;
  const signature = sign(APP.secret, requestText('POST', path, query));
  const head = `POST ${path}?${query}&auth_signature=${signature} HTTP/1.1\r\nHost: localhost`;
  const request = `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  return new Promise((resolve, reject) => {
    let left = times;
    const onAnswer = (answer: Buffer): void => {
      const text = answer.toString('latin1');
      if (!text.startsWith('HTTP/1.1 200 ')) return reject(new Error(text));
      left -= 1;
      if (left > 0) return void socket.write(request);
      socket.off('data', onAnswer);
      resolve();
    };
    socket.on('data', onAnswer);
    socket.write(request);
  });
}
