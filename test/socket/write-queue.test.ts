import { createHook } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryAdapter } from '@countersign/server';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { NO_JOURNAL } from '#server/adapter/journal';
import { FileAppStore } from '#server/apps/file-store';
import { Hub } from '#server/hub/hub';
import type { Subscriber } from '#server/hub/subscriber';
import { Metrics } from '#server/metrics';
import { readChannel } from '#server/protocol/channel';
import type { Frame } from '#server/protocol/frames';
import { FlightRecorder } from '#server/recorder/flight-recorder';
import { FlushTurns, type FlushTurnsOptions } from '#server/socket/flush-turns';
import { type FrameBatch, WriteQueue, type Writer } from '#server/socket/write-queue';
import { WriteQueues } from '#server/socket/write-queues';
import { accessFor } from '../helpers/access.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { BareClient } from '../helpers/clients/bare-client.ts';

/** Keeps what it is written to. */
class Recorder implements Writer {
  pending: FrameBatch | undefined;
  readonly writes: Buffer[] = [];

  constructor(readonly onWrite: () => void = () => {}) {}

  write(bytes: Buffer): void {
    this.writes.push(bytes);
    this.onWrite();
  }

  get texts(): readonly string[] {
    return this.writes.map(String);
  }
}

function recorders(count: number, onWrite?: () => void): readonly Recorder[] {
  return Array.from({ length: count }, () => new Recorder(onWrite));
}

/** An outbox, and a promise for its next flush. */
function outboxOf(options: Partial<FlushTurnsOptions> = {}) {
  let done: () => void = () => {};
  const turns = new FlushTurns({ gapMaxMs: 0, ...options });
  turns.onFlush = () => done();
  onTestFinished(() => turns.close());
  return {
    turns,
    outbox: new WriteQueue(turns),
    flushed: () => new Promise<void>((resolve) => (done = resolve)),
  };
}

const frame = (text: string): Frame => Buffer.from(text);

describe('what a flush costs', () => {
  test('1000 sinks that wait for the same frames are written one joined buffer', async () => {
    const { turns, outbox, flushed } = outboxOf();
    const sinks = recorders(1000);
    for (const each of [frame('a'), frame('b'), frame('c')])
      for (const sink of sinks) outbox.push(sink, each);
    await flushed();

    const [first] = sinks;
    expect(sinks.every(({ writes }) => writes.length === 1 && writes[0] === first?.writes[0])).toBe(true);
    expect(first?.texts).toEqual(['abc']);
    expect(turns.statistics).toMatchObject({ flushes: 1, writes: 1000, joined: 1, bytes: 3000 });
  });

  test('a single frame is written as it is', async () => {
    const { turns, outbox, flushed } = outboxOf();
    const sinks = recorders(10);
    const only = frame('a');
    for (const sink of sinks) outbox.push(sink, only);
    await flushed();
    expect(sinks.every(({ writes: [bytes] }) => bytes === only)).toBe(true);
    expect(turns.statistics).toMatchObject({ writes: 10, joined: 0 });
  });

  test('two groups with different frames cost two joins', async () => {
    const { turns, outbox, flushed } = outboxOf();
    const [left, right] = [recorders(100), recorders(100)];
    for (const text of ['a', 'b']) {
      const [one, other] = [frame(text), frame(text.toUpperCase())];
      for (const sink of left) outbox.push(sink, one);
      for (const sink of right) outbox.push(sink, other);
    }
    await flushed();
    expect(left.every(({ texts }) => texts.join() === 'ab')).toBe(true);
    expect(right.every(({ texts }) => texts.join() === 'AB')).toBe(true);
    expect(turns.statistics).toMatchObject({ writes: 200, joined: 2 });
  });

  test('a writer that is excluded from a frame misses only that one', async () => {
    const { turns, outbox, flushed } = outboxOf();
    const sinks = recorders(5);
    // Each sends one frame to all the others, as client events do.
    for (const [index, sender] of sinks.entries()) {
      const sent = frame(String(index));
      for (const sink of sinks) if (sink !== sender) outbox.push(sink, sent);
    }
    await flushed();
    expect(sinks.map(({ texts }) => texts)).toEqual([['1234'], ['0234'], ['0134'], ['0124'], ['0123']]);
    expect(turns.statistics).toMatchObject({ flushes: 1, writes: 5, joined: 5 });
  });
});

describe('when a flush comes', () => {
  test('what is sent in one turn leaves together, what comes later leaves later', async () => {
    const { outbox, flushed } = outboxOf();
    const sink = new Recorder();
    outbox.push(sink, frame('a'));
    outbox.push(sink, frame('b'));
    await flushed();
    outbox.push(sink, frame('c'));
    expect(sink.texts).toEqual(['ab']);
    await flushed();
    expect(sink.texts).toEqual(['ab', 'c']);
  });

  test('one sink can be flushed before the others, and is not written twice', async () => {
    const { outbox, flushed } = outboxOf();
    const [urgent, patient] = [new Recorder(), new Recorder()];
    for (const sink of [urgent, patient]) outbox.push(sink, frame('a'));
    outbox.flushOne(urgent);
    expect([urgent.texts, patient.texts]).toEqual([['a'], []]);
    outbox.push(urgent, frame('b'));
    await flushed();
    expect([urgent.texts, patient.texts]).toEqual([['a', 'b'], ['a']]);
  });

  test('what was dropped is not written', async () => {
    const { outbox, flushed } = outboxOf();
    const [gone, there] = [new Recorder(), new Recorder()];
    for (const sink of [gone, there]) outbox.push(sink, frame('a'));
    outbox.drop(gone);
    await flushed();
    expect([gone.texts, there.texts]).toEqual([[], ['a']]);
  });

  test('a big flush is cut into slices, and everything else gets its turn between them', async () => {
    let written = 0;
    const { turns, outbox, flushed } = outboxOf({ sliceSize: 10 });
    const sinks = recorders(35, () => {
      written += 1;
    });
    const sent = frame('a');
    for (const sink of sinks) outbox.push(sink, sent);
    let done = false;
    const whole = flushed().then(() => {
      done = true;
    });
    const seen: number[] = [];
    while (!done) {
      await nextTurn();
      seen.push(written);
    }
    await whole;
    expect(seen.slice(-4)).toEqual([10, 20, 30, 35]);
    expect(turns.statistics).toMatchObject({ flushes: 1, writes: 35 });
  });

  test('frames that come during a sliced flush are neither lost nor out of order', async () => {
    const { outbox, flushed } = outboxOf({ sliceSize: 1 });
    const sinks = recorders(3);
    const [a, b] = [frame('a'), frame('b')];
    for (const sink of sinks) outbox.push(sink, a);
    const pushRest = new Recorder(() => {
      for (const sink of sinks) outbox.push(sink, b);
    });
    const early = sinks.at(0)!;
    outbox.push(pushRest, frame('x'));
    outbox.flushOne(pushRest);
    await flushed();
    for (const sink of sinks) outbox.push(sink, frame('c'));
    await flushed();
    expect(sinks.map(({ texts }) => texts.join(''))).toEqual(['abc', 'abc', 'abc']);
    expect(early.writes.length).toBe(2);
  });
});

describe('fair shares', () => {
  /** Queues of a loud app, which has far more to write than fits into a turn, and of quiet ones. */
  function neighbours(quiet: number, sliceSize = 100) {
    const { turns, outbox: loud } = outboxOf({ sliceSize });
    const loudSinks = recorders(1000);
    const others = Array.from({ length: quiet }, () => ({
      outbox: new WriteQueue(turns),
      sink: new Recorder(),
    }));
    const written = () => loudSinks.filter(({ writes }) => writes.length > 0).length;
    return { loud, loudSinks, others, written };
  }

  test('what an app sends during the flush of another leaves in the next turn', async () => {
    const { loud, loudSinks, others, written } = neighbours(1);
    const [quiet] = others;
    const sent = frame('a');
    for (const sink of loudSinks) loud.push(sink, sent);
    await nextTurn();
    await nextTurn();
    const before = written();
    quiet!.outbox.push(quiet!.sink, frame('b'));
    await nextTurn();
    expect(quiet!.sink.texts).toEqual(['b']);
    expect(written() - before).toBeLessThanOrEqual(100);
    expect(written()).toBeLessThan(1000);
  });

  test('each app has a queue of its own', () => {
    const [one, other] = new FileAppStore(configOf().apps).all();
    const queues = new WriteQueues(new FlushTurns({ gapMaxMs: 0 }));
    expect(queues.of(one!)).toBe(queues.of(one!));
    expect(queues.of(other!)).not.toBe(queues.of(one!));
  });

  test('what an app does not need of its share goes to the others', async () => {
    const { loud, loudSinks, others, written } = neighbours(3);
    const sent = frame('a');
    for (const sink of loudSinks) loud.push(sink, sent);
    for (const { outbox, sink } of others) outbox.push(sink, sent);
    await nextTurn();
    await nextTurn();
    const turns = Math.ceil((written() + 3) / 100);
    expect(written()).toBe(turns * 100 - 3);
  });

  test('each of more apps than fit into a turn gets its turn, in their order', async () => {
    const { loud, loudSinks, others } = neighbours(250);
    const sent = frame('a');
    for (const sink of loudSinks.slice(0, 200)) loud.push(sink, sent);
    const order: number[] = [];
    for (const [index, { outbox }] of others.entries())
      outbox.push(new Recorder(() => order.push(index)), sent);
    while (order.length < others.length) await nextTurn();
    expect(order).toEqual(others.map((_, index) => index));
    expect(loudSinks.filter(({ writes }) => writes.length > 0).length).toBeLessThan(200);
  });
});

describe('pacing', () => {
  /** An outbox in whose time a write takes as long as it is told. */
  function paced(gapMaxMs: number, writeMs: number) {
    let now = 1000;
    const sink = new Recorder(() => {
      now += writeMs;
    });
    return { ...outboxOf({ gapMaxMs, now: () => now }), sink };
  }

  test('a flush that took a while is followed by a pause', async () => {
    const { outbox, flushed, sink } = paced(100, 50);
    outbox.push(sink, frame('a'));
    await flushed();
    outbox.push(sink, frame('b'));
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    outbox.push(sink, frame('c'));
    expect(sink.texts).toEqual(['a']);
    await flushed();
    expect(sink.texts).toEqual(['a', 'bc']);
  });

  test('the pause is bounded', async () => {
    const { outbox, flushed, sink } = paced(5, 3_600_000);
    outbox.push(sink, frame('a'));
    await flushed();
    outbox.push(sink, frame('b'));
    await flushed();
    expect(sink.texts).toEqual(['a', 'b']);
  });

  test.each([
    ['a small flush', 100, 0.5],
    ['no pause configured', 0, 50],
  ])('%s delays nothing', async (_, gapMaxMs, writeMs) => {
    const { outbox, flushed, sink } = paced(gapMaxMs, writeMs);
    outbox.push(sink, frame('a'));
    await flushed();
    outbox.push(sink, frame('b'));
    await nextTurn();
    expect(sink.texts).toEqual(['a', 'b']);
  });
});

describe('what a message costs', () => {
  async function stringifiedFor(subscribers: number): Promise<{ calls: number; frames: number }> {
    const adapter = new MemoryAdapter();
    onTestFinished(() => adapter.close());
    const apps = new FileAppStore(configOf().apps);
    const hub = new Hub({
      adapter,
      access: accessFor(adapter),
      apps,
      journal: NO_JOURNAL,
      metrics: new Metrics(),
      recorder: new FlightRecorder(Date.now, () => performance.now()),
      log: pino({ level: 'silent' }),
      connections: [],
    });
    const app = apps.byId(APP.id)!;
    const channel = readChannel('news', 200)!;
    const received: Frame[] = [];
    const seat = {
      since: 0,
      client: 'test',
      address: '',
      isCapable: false,
      arrivedUntil: 0,
      bufferedBytes: 0,
      lose: () => {},
      renew: async () => {},
      reconnect: () => {},
      expel: () => {},
      silence: () => {},
      isSilent: false,
      openedAfter: 0,
      drained: async () => true,
      dropSlowReader: () => {},
    };
    for (let index = 0; index < subscribers; index += 1) {
      const subscriber: Subscriber = { ...seat, socketId: `1.${index}`, send: (sent) => received.push(sent) };
      await hub.subscriptions.subscribe(app, channel, subscriber);
    }
    received.length = 0;
    const stringify = vi.spyOn(JSON, 'stringify');
    await hub.publish(app, channel, { name: 'event', data: '{"a":1}' });
    const calls = stringify.mock.calls.length;
    stringify.mockRestore();
    expect(received).toHaveLength(subscribers);
    return { calls, frames: new Set(received).size };
  }

  test('it is written as JSON and framed once, however many receive it', async () => {
    const [one, many] = [await stringifiedFor(1), await stringifiedFor(1000)];
    expect(one.frames).toBe(1);
    expect(many).toEqual(one);
  });
});

describe('what a connection costs', () => {
  const CONNECTIONS = 100;

  test('no timer', async () => {
    const broker = await startServer();
    await BareClient.subscribe(broker.port, 'news');
    let timers = 0;
    const hook = createHook({
      init(_id, type) {
        if (type === 'Timeout') timers += 1;
      },
    }).enable();
    for (let index = 0; index < CONNECTIONS; index += 1) await BareClient.subscribe(broker.port, 'news');
    hook.disable();
    // A flush may have been paced; nothing grows with the connections.
    expect(timers).toBeLessThan(CONNECTIONS / 10);
  });

  test('a few listeners, the same functions for all', async () => {
    const accepted: Socket[] = [];
    const accept = (message: unknown) => accepted.push((message as { socket: Socket }).socket);
    subscribe('net.server.socket', accept);
    onTestFinished(() => void unsubscribe('net.server.socket', accept));
    const broker = await startServer();
    for (let index = 0; index < CONNECTIONS; index += 1) await BareClient.subscribe(broker.port, 'news');

    const counts = accepted.map((socket) => listenersOf(socket).length);
    expect(accepted).toHaveLength(CONNECTIONS);
    expect(Math.max(...counts)).toBeLessThanOrEqual(8);
    const distinct = new Set(accepted.flatMap(listenersOf));
    expect(distinct.size).toBe(counts[0]);
  });

  function listenersOf(socket: Socket): readonly unknown[] {
    return socket.eventNames().flatMap((name) => socket.rawListeners(name));
  }
});
