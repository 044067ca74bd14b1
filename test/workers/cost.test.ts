/** What a publish costs between the processes of a group, as counts: times would depend on the machine. */
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryAdapter } from '@countersign/server';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import type { BusListener, EventMessage } from '#server/adapter/adapter';
import { FileAppStore } from '#server/apps/file-store';
import { LocalCore } from '#server/core/local-core';
import { Metrics } from '#server/metrics';
import { ParentState } from '#server/workers/parent-state';
import { PlainEvents } from '#server/workers/plain-events';
import type { ParentApi, WorkerApi } from '#server/workers/protocol';
import { type Packet, PacketReader } from '#server/workers/rpc/framing';
import { packEvent, unpackEvent } from '#server/workers/rpc/packed-event';
import { Rpc } from '#server/workers/rpc/rpc';
import { WorkerAdapter } from '#server/workers/worker/worker-adapter';
import { passOn, WorkerSession } from '#server/workers/worker-session';
import { APP, configOf } from '../helpers/brokers/server.ts';
import { socketPair } from '../helpers/socket-pair.ts';

const TOPIC = `${APP.id}:news` as const;
const EVENT: EventMessage = {
  kind: 'event',
  topic: TOPIC,
  name: 'headline',
  data: '{"text":"Sesam öffne dich 🚀"}',
};

test('a publish is one packet to the parent, one to each worker that listens, of the same bytes, and one answer', async () => {
  const { workers } = await startGroup(3);
  const [publisher, other, bystander] = workers;
  await publisher!.adapter.bus.listen(TOPIC);
  await other!.adapter.bus.listen(TOPIC);
  for (const worker of workers) await worker.settle();
  for (const worker of workers) worker.forget();

  await publisher!.adapter.bus.publish(EVENT);
  await other!.until(1);

  const bytes = packEvent(EVENT);
  expect(publisher!.sent).toEqual([{ kind: 'awaitedEvent', bytes }]);
  expect(publisher!.received).toMatchObject([{ kind: 'event', bytes }, { kind: 'calls' }]);
  expect(other!.received).toEqual([{ kind: 'event', bytes }]);
  expect(bystander!.received).toEqual([]);
  expect(other!.delivered).toEqual([EVENT]);
});

test('publishes of one turn that are awaited have one answer, after the events', async () => {
  const { workers } = await startGroup(2);
  const [publisher, other] = workers;
  await other!.adapter.bus.listen(TOPIC);
  for (const worker of workers) await worker.settle();
  for (const worker of workers) worker.forget();

  await Promise.all(Array.from({ length: 10 }, () => publisher!.adapter.bus.publish(EVENT)));
  const bytes = packEvent(EVENT);
  expect(publisher!.sent).toEqual(Array(10).fill({ kind: 'awaitedEvent', bytes }));
  expect(publisher!.received).toMatchObject([{ kind: 'calls' }]);
  await other!.until(10);
  expect(other!.received).toEqual(Array(10).fill({ kind: 'event', bytes }));
});

test('events of one turn are one write, in their order and with the calls between them', async () => {
  const { workers } = await startGroup(1);
  const [worker] = workers;
  await worker!.adapter.bus.listen(TOPIC);
  await worker!.settle();
  worker!.forget();
  const kept = { lastSeconds: 60 };
  const names = Array.from({ length: 10 }, (_, n) => `event-${n}`);
  const answers = names.map((name, n) =>
    worker!.adapter.bus.publish({ ...EVENT, name }, n === 5 ? kept : undefined),
  );
  await Promise.all(answers);
  await worker!.until(names.length);
  expect(worker!.writes).toBe(1);
  expect(worker!.delivered.map(({ name }) => name)).toEqual(names);
});

test('the parent must answer where a webhook wants an event, or Redis is between', () => {
  const hook = { url: 'https://backend.example/', events: ['client_event' as const] };
  const fromClient = { ...EVENT, sender: '1.2' };
  const events = new PlainEvents();
  expect(events.has(EVENT)).toBe(false);
  events.begin(configOf());
  expect([events.has(EVENT), events.has(fromClient)]).toEqual([true, true]);
  events.take({ put: configOf({ app: { webhooks: [hook] } }).apps, removed: [] });
  expect([events.has(EVENT), events.has(fromClient)]).toEqual([true, false]);
  events.begin(configOf({ config: { redis: { url: 'redis://127.0.0.1:1' } } }));
  expect([events.has(EVENT), events.has(fromClient)]).toEqual([false, false]);
});

test.each(['plain', 'ü', '漢字 🚀', '\ud800 alone', '"quoted" \u0000 \n', ''])(
  'data arrives as it left: %j',
  (data) => {
    const event: EventMessage = {
      ...EVENT,
      name: data,
      data,
      userId: data,
      except: '1.2',
      version: 7,
      position: 'p',
    };
    expect(unpackEvent(packEvent(event))).toEqual(event);
  },
);

/** A worker's end of the connection, and what crosses it. */
class WorkerEnd {
  readonly adapter: WorkerAdapter;
  readonly delivered: EventMessage[] = [];
  sent: Packet[] = [];
  received: Packet[] = [];
  writes = 0;
  #onDelivered = (): void => {};

  constructor(near: Socket, far: Socket) {
    const plainEvents = new PlainEvents();
    plainEvents.begin(configOf());
    const rpc = new Rpc<ParentApi>(
      near,
      {},
      (error) => {
        throw error;
      },
      (bytes) => {
        this.delivered.push(unpackEvent(bytes));
        this.#onDelivered();
      },
    );
    this.adapter = new WorkerAdapter(rpc, plainEvents);
    readPackets(near, (packet) => this.received.push(packet));
    readPackets(far, (packet) => this.sent.push(packet));
    far.on('data', () => {
      this.writes += 1;
    });
  }

  /** Resolves when all that was sent is answered. */
  async settle(): Promise<void> {
    await this.adapter.roster.counts(TOPIC);
    await nextTurn();
  }

  forget(): void {
    this.sent = [];
    this.received = [];
    this.writes = 0;
  }

  until(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onDelivered = () => {
        if (this.delivered.length >= count) resolve();
      };
      this.#onDelivered();
    });
  }
}

function readPackets(socket: Socket, onPacket: (packet: Packet) => void): void {
  const reader = new PacketReader();
  socket.on('data', (chunk: Buffer) => {
    for (const { kind, bytes } of reader.read(chunk)) onPacket({ kind, bytes: Buffer.from(bytes) });
  });
}

/** A parent and its workers, whose connections are real sockets. */
async function startGroup(count: number): Promise<{ readonly workers: readonly WorkerEnd[] }> {
  const config = configOf();
  const log = pino({ level: 'silent' });
  const apps = new FileAppStore(config.apps);
  const adapter = new MemoryAdapter();
  const clocks = { now: Date.now, monotonic: () => performance.now() };
  const core = await LocalCore.open({ config, apps, metrics: new Metrics(), log, adapter, ...clocks });
  onTestFinished(() => core.close());
  const state = new ParentState(core, apps, log);
  onTestFinished(() => state.counts.close());
  const workers: WorkerEnd[] = [];
  for (let n = 0; n < count; n += 1) {
    const [near, far] = await socketPair();
    const line: BusListener = {
      deliver: (message) => passOn(message, rpc),
      obey() {},
      missed: async () => {},
      answer: async () => {
        throw new Error('Nobody is asked');
      },
      proveAgain() {},
    };
    const session = new WorkerSession(state, line, async () => '');
    const onFault = (error: unknown) => {
      throw error;
    };
    const rpc: Rpc<WorkerApi> = new Rpc(far, session.api, onFault, (bytes) => session.publish(bytes));
    workers.push(new WorkerEnd(near, far));
  }
  return { workers };
}
