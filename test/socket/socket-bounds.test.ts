import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Broker } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { socketBounds } from '#server/http/sockets/socket-bounds';
import { startServer } from '../helpers/brokers/server.ts';
import { connect, open } from '../helpers/clients/client.ts';
import { upgradeRequest } from '../helpers/clients/raw.ts';
import { eventually } from '../helpers/eventually.ts';
import { readSamples } from '../helpers/metrics.ts';

const REQUEST = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';

function tcp({ host, port }: Broker, text = ''): Socket {
  const socket = connectTcp(port, host).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(text);
  return socket;
}

const closed = (socket: Socket) => new Promise((resolve) => socket.resume().once('close', resolve));

async function reached(broker: Broker, bound: string): Promise<number | undefined> {
  return (await readSamples(broker.metricsUrl!)).get(`countersign_bounds_reached_total{bound="${bound}"}`);
}

describe('connectionsPerAddress', () => {
  const forwarded = (address: string) => ({ headers: { 'X-Forwarded-For': address } });
  const ask = (broker: Broker, address: string) =>
    open(broker, '/app/key-1?protocol=7', forwarded(address)).next();
  const REFUSED = expect.stringContaining('This address has its 2 connections');

  test('bounds the WebSockets of one address, and gives places back', async () => {
    const broker = await startServer({ config: { connectionsPerAddress: 2 } });
    const first = await connect(broker);
    await connect(broker);
    const third = open(broker);
    expect(await third.next()).toEqual(REFUSED);
    expect(await third.next()).toMatchObject({ code: 4100 });
    expect(await reached(broker, 'connections_per_address')).toBe(1);
    first.socket.close();
    await once(first.socket, 'close');
    await connect(broker);
  });

  test('looks through proxies that are trusted, and takes a network of IPv6 for one address', async () => {
    const broker = await startServer({ config: { connectionsPerAddress: 2, trustProxy: true } });
    const established = expect.stringContaining('pusher:connection_established');
    for (const [one, two, three] of [
      ['192.0.2.1', '192.0.2.1:5001', '::ffff:192.0.2.1'],
      ['2001:db8::1', '[2001:db8::2]:443', '2001:db8:0:0:ffff::3'],
    ] as const) {
      expect(await ask(broker, one)).toEqual(established);
      expect(await ask(broker, two)).toEqual(established);
      expect(await ask(broker, three)).toEqual(REFUSED);
    }
    expect(await ask(broker, '2001:db8:0:1::1')).toEqual(established);
  });

  test('bounds connections that ask for nothing: the one that was quiet for longest goes', async () => {
    const broker = await startServer({ config: { connectionsPerAddress: 2 } });
    const [oldest, asking] = [tcp(broker), tcp(broker, 'GET /health HTTP/1.1\r\nX-A: ')];
    await once(asking, 'connect');
    const gone = closed(oldest);
    const third = tcp(broker, REQUEST);
    const [answer] = await once(third, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 /);
    await gone;
    expect(asking.destroyed).toBe(false);
  });
});

test('maxConnections bounds all WebSockets, and leaves the HTTP API alone', async () => {
  const broker = await startServer({ config: { maxConnections: 1 } });
  await connect(broker);
  expect(await open(broker).next()).toEqual(expect.stringContaining('The server is full'));
  expect((await fetch(`${broker.url}/health`)).status).toBe(200);
  expect(await reached(broker, 'connections')).toBe(1);
});

describe('what a limit of file descriptors leaves', () => {
  test.each([
    [256, { sockets: 192, connections: 160, perAddress: 40 }],
    [20_000, { sockets: 18_976, connections: 17_952, perAddress: 4488 }],
    [1_048_576, { sockets: 1_047_552, connections: 1_046_528, perAddress: 261_632 }],
    [Number.POSITIVE_INFINITY, { sockets: Infinity, connections: Infinity, perAddress: Infinity }],
  ])('of %d', (descriptors, expected) => {
    const unset = { maxConnections: undefined, connectionsPerAddress: undefined };
    expect(socketBounds(unset, descriptors)).toMatchObject(expected);
  });

  test('is a bound of maxConnections, too', () => {
    const bounds = socketBounds({ maxConnections: 1000, connectionsPerAddress: null }, 256);
    expect(bounds).toMatchObject({ connections: 160, perAddress: Infinity, limitsLoopback: true });
  });
});

describe('a client that does not read its answers', () => {
  test('is cut off when it asks for more and more', async () => {
    const broker = await startServer();
    const socket = tcp(broker, REQUEST.repeat(500));
    await closed(socket);
    expect(await reached(broker, 'pipelined_requests')).toBe(1);
  });

  test('is cut off when its time is over', async () => {
    let ms = 0;
    const broker = await startServer({
      parts: {
        monotonic: () => ms,
        routes: (app) => app.get('/big', (_request, response) => void response.end(Buffer.alloc(20_000_000))),
      },
    });
    const socket = tcp(broker, REQUEST.replace('/health', '/big'));
    await once(socket, 'readable');
    ms = 60_001;
    await eventually(async () => expect(await reached(broker, 'answer_timeout')).toBe(1));
  });
});

test('pipelined requests are answered one after the other, in their order', async () => {
  const broker = await startServer();
  const socket = tcp(
    broker,
    REQUEST + REQUEST.replace('/health', '/nowhere') + REQUEST.replace('/health', '/ready'),
  );
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (text.includes('"ready"')) break;
  }
  expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
});

test('a request has its time, however slowly it comes', async () => {
  const broker = await startServer({ config: { requestTimeoutSeconds: 1 } });
  const body = tcp(broker, 'POST /apps/app-1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
  await Promise.all([closed(tcp(broker)), closed(tcp(broker, 'GET /health HTTP/1.1\r\nX: ')), closed(body)]);
});

test('a request may have 20 KB of cookies', async () => {
  const broker = await startServer();
  const socket = tcp(broker, upgradeRequest(undefined, [`Cookie: a=${'x'.repeat(20_000)}`]));
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1.1 101 /);
});

test.each([
  [{}, 75],
  [{ keepAliveSeconds: 5 }, 5],
])('an idle connection with %j stays open for %i seconds, and says so', async (config, seconds) => {
  const broker = await startServer({ config });
  // A balancer that ends its connections after 60 seconds is always the first to do so.
  const { headers } = await fetch(`${broker.url}/health`);
  expect(headers.get('keep-alive')).toBe(`timeout=${seconds}`);
});
