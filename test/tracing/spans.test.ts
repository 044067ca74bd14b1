/** Spans of the broker, as a real provider of OpenTelemetry records them. */

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startReceiver, status } from '../helpers/brokers/receiver.ts';
import { refused, renewing, startRenewingBackend } from '../helpers/brokers/renewing-backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { authorize, connect, connectCapable } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';
import { openPublisher } from '../helpers/clients/publisher.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { readersFolder, snippetsOf } from '../helpers/snippets.ts';
import { CAUSE, OTHER_CAUSE, SPAN, TRACE } from './causes.ts';

const EVENT = { channel: 'news', name: 'e', data: '' };
const SERVER = 1;
const CLIENT = 2;
const ERROR = 2;

/** Registers a provider, as the operator of a broker does before it starts. */
function record(): { spans: () => ReadableSpan[]; named: (name: string) => Promise<ReadableSpan> } {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  onTestFinished(async () => {
    trace.disable();
    await provider.shutdown();
  });
  const spans = () => exporter.getFinishedSpans();
  return {
    spans,
    named: (name) =>
      eventually(() => {
        const found = spans().find((span) => span.name === name);
        if (!found) throw new Error(`No span "${name}" among ${spans().map((span) => span.name)}`);
        return found;
      }),
  };
}

const idOf = (span: ReadableSpan) => span.spanContext().spanId;
const traceOf = (span: ReadableSpan) => span.spanContext().traceId;

describe('requests', () => {
  test('continue the trace of their header, and their events carry the span', async () => {
    const { spans } = record();
    const broker = await startServer();
    const client = await connectCapable(broker);
    await client.join('news');
    await request(broker, 'POST', '/events', { body: EVENT, headers: { traceparent: CAUSE } });
    await eventually(() => expect(spans()).toHaveLength(1));
    const [span] = spans() as [ReadableSpan];
    expect(span).toMatchObject({
      name: 'POST /apps/:appId/events',
      kind: SERVER,
      parentSpanContext: { traceId: TRACE, spanId: SPAN, isRemote: true },
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/apps/:appId/events',
        'http.response.status_code': 200,
        'countersign.app.id': 'app-1',
      },
      status: { code: 0 },
    });
    expect(traceOf(span)).toBe(TRACE);
    expect(await client.nextMessage()).toMatchObject({ traceparent: `00-${TRACE}-${idOf(span)}-01` });
  });

  test('an event that says its own cause keeps it', async () => {
    record();
    const broker = await startServer();
    const client = await connectCapable(broker);
    await client.join('news');
    await publish(broker, 'news', 'e', '', { traceparent: OTHER_CAUSE });
    expect(await client.nextMessage()).toMatchObject({ traceparent: OTHER_CAUSE });
  });

  test('a trace that is not sampled stays so, and is handed on as it came', async () => {
    const { spans } = record();
    const broker = await startServer();
    const client = await connectCapable(broker);
    await client.join('news');
    const traceparent = CAUSE.replace(/1$/, '0');
    await request(broker, 'POST', '/events', { body: EVENT, headers: { traceparent } });
    expect(await client.nextMessage()).toMatchObject({ traceparent });
    expect(spans()).toEqual([]);
  });

  test('name the path that is asked, and their status, without what callers made up', async () => {
    const { spans } = record();
    const broker = await startServer();
    await request(broker, 'GET', '/channels/some-channel');
    await request(broker, 'GET', '/channels/%00');
    await fetch(`${broker.url}/apps/${'x'.repeat(1000)}/events`, { method: 'POST' });
    await eventually(() => expect(spans()).toHaveLength(3));
    expect(spans().map(({ name, attributes }) => [name, attributes['http.response.status_code']])).toEqual([
      ['GET /apps/:appId/channels/:subject', 200],
      ['GET /apps/:appId/channels/:subject', 400],
      ['POST /apps/:appId/events', 401],
    ]);
    expect(spans().map((span) => span.status.code)).toEqual([0, 0, 0]);
    expect(String(spans()[2]?.attributes['countersign.app.id'])).toHaveLength(64);
  });

  test('a frame of a publish socket continues a single trace, and links several', async () => {
    const { spans } = record();
    const broker = await startServer();
    const client = await connectCapable(broker);
    await client.join('news');
    const publisher = await openPublisher(broker);
    publisher.publish(1, { ...EVENT, traceparent: CAUSE }, EVENT);
    publisher.publish(2, { ...EVENT, traceparent: CAUSE }, { ...EVENT, traceparent: OTHER_CAUSE });
    publisher.publish(3, EVENT);
    await eventually(() => expect(spans()).toHaveLength(3));
    const [single, several, none] = spans() as [ReadableSpan, ReadableSpan, ReadableSpan];
    expect(single).toMatchObject({
      name: 'publish frame',
      kind: SERVER,
      parentSpanContext: { spanId: SPAN },
    });
    expect(single.links).toEqual([]);
    expect(several.parentSpanContext).toBeUndefined();
    expect(several.links.map(({ context }) => context.traceId)).toEqual([TRACE, OTHER_CAUSE.split('-')[1]]);
    expect(none.links).toEqual([]);
    const causes = [];
    for (let n = 0; n < 5; n += 1) causes.push(Object(await client.nextMessage()).traceparent);
    const own = (span: ReadableSpan) => `00-${traceOf(span)}-${idOf(span)}-01`;
    expect(causes).toEqual([CAUSE, own(single), CAUSE, OTHER_CAUSE, own(none)]);
  });
});

describe('webhooks', () => {
  test('each attempt is a span of the trace of its event, and tells the receiver', async () => {
    const { named } = record();
    const receiver = await startReceiver();
    receiver.reply = status(500);
    const webhooks = [{ url: receiver.url(), events: ['client_event'] }];
    const broker = await startServer({ app: { clientEvents: true, webhooks } });
    const channel = 'private-room';
    const client = await connectCapable(broker);
    client.subscribe(channel, { auth: authorize(client.socketId, channel) });
    await client.next();
    client.send({ event: 'client-e', channel, data: '1', traceparent: CAUSE });
    const { headers } = await receiver.next();
    const span = await named('webhook attempt');
    expect(span).toMatchObject({
      kind: CLIENT,
      parentSpanContext: { traceId: TRACE, spanId: SPAN },
      attributes: {
        'countersign.app.id': 'app-1',
        'countersign.webhook.id': headers['webhook-id'],
        'http.response.status_code': 500,
        'messaging.batch.message_count': 1,
        'error.type': 'refused',
      },
      status: { code: ERROR },
    });
    expect(headers['traceparent']).toBe(`00-${TRACE}-${idOf(span)}-01`);
  });

  test('one of an event without a cause begins a trace', async () => {
    const { named } = record();
    const receiver = await startReceiver();
    const webhooks = [{ url: receiver.url(), events: ['channel_occupied'] }];
    const broker = await startServer({ app: { webhooks } });
    await (await connect(broker)).join('news');
    const { headers } = await receiver.next();
    const span = await named('webhook attempt');
    expect(span.parentSpanContext).toBeUndefined();
    expect(headers['traceparent']).toBe(`00-${traceOf(span)}-${idOf(span)}-01`);
  });
});

test('a backend that is asked to renew grants', async () => {
  const { named } = record();
  const backend = await startRenewingBackend(() => refused());
  const broker = await startServer({ app: { grants: renewing(backend.url).grants } });
  const client = await connect(broker);
  await client.join('private-team', granted({ exp: inSeconds(2) }));
  expect(await named('renew grants')).toMatchObject({
    kind: CLIENT,
    attributes: { 'countersign.app.id': 'app-1', 'countersign.grants': 1, 'http.response.status_code': 200 },
    status: { code: 0 },
  });
});

describe('without a provider', () => {
  test('nothing is recorded, and one that comes after the start of the broker changes nothing', async () => {
    const broker = await startServer();
    const client = await connectCapable(broker);
    await client.join('news');
    const { spans } = record();
    await request(broker, 'POST', '/events', { body: EVENT });
    expect(await client.next()).toBe(frames.event('e', 'news', ''));
    expect(spans()).toEqual([]);
  });
});

test('the file of the page sends the spans of workers and of their parent to a collector', async () => {
  const names = new Set<string>();
  const collector = createServer(async (incoming, response) => {
    let text = '';
    for await (const chunk of incoming.setEncoding('utf8')) text += chunk;
    for (const { scopeSpans } of JSON.parse(text).resourceSpans)
      for (const { spans } of scopeSpans) for (const { name } of spans) names.add(name);
    response.end('{}');
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    collector.close();
    collector.closeAllConnections();
  });
  const { port } = collector.address() as AddressInfo;
  const file = join(readersFolder(), 'tracing.js');
  writeFileSync(file, snippetsOf('tracing.md').get('tracing.js') ?? '');
  const receiver = await startReceiver();
  const webhooks = [{ url: receiver.url(), events: ['channel_occupied'] }];
  const env = {
    NODE_OPTIONS: `--import ${file}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
  const broker = await startWorkers({ app: { webhooks }, env });
  await (await connect(broker)).join('news');
  await publish(broker, 'news', 'e', '');
  await eventually(() => expect([...names].sort()).toEqual(['POST /apps/:appId/events', 'webhook attempt']));
});
