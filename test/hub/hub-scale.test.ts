import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryAdapter } from '@countersign/server';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { NO_JOURNAL } from '#server/adapter/journal';
import type { App } from '#server/apps/app';
import { FileAppStore } from '#server/apps/file-store';
import { openFilesLimit } from '#server/http/sockets/open-files';
import { Hub } from '#server/hub/hub';
import type { Subscriber } from '#server/hub/subscriber';
import { Metrics } from '#server/metrics';
import { readChannel } from '#server/protocol/channel';
import type { Frame } from '#server/protocol/frames';
import { FlightRecorder } from '#server/recorder/flight-recorder';
import { FlushTurns } from '#server/socket/flush-turns';
import { AdmissionQueue } from '#server/socket/handshakes/admission-queue';
import { type FrameBatch, WriteQueue, type Writer } from '#server/socket/write-queue';
import { accessFor } from '../helpers/access.ts';
import { publish } from '../helpers/api.ts';
import { startCli } from '../helpers/brokers/cli.ts';
import { APP, configOf } from '../helpers/brokers/server.ts';
import { BareClient } from '../helpers/clients/bare-client.ts';

const STAND_INS = 100_000;
const COMING_BACK = 50_000;
const LONGEST_TURN_MS = 250;
/** Both ends count: the broker and this process each need one descriptor a socket, and some for the rest. */
const SOCKETS = Math.min(10_000, (openFilesLimit()?.soft ?? 1024) - 500);
const CONNECTING_AT_ONCE = 250;

/** A subscriber whose write takes some microseconds, as one to a socket does. */
class StandIn implements Subscriber, Writer {
  readonly since = 0;
  readonly client = 'test';
  readonly address = '';
  readonly isCapable = false;
  readonly arrivedUntil = 0;
  readonly bufferedBytes = 0;
  readonly openedAfter = 0;
  pending: FrameBatch | undefined;
  received = 0;

  constructor(
    readonly socketId: string,
    readonly outbox: WriteQueue,
  ) {}

  send(frame: Frame): void {
    this.outbox.push(this, frame);
  }

  lose(): void {}

  async renew(): Promise<void> {}
  reconnect(): void {}
  expel(): void {}
  silence(): void {}
  readonly isSilent = false;

  async drained(): Promise<boolean> {
    return true;
  }

  dropSlowReader(): void {}

  write(bytes: Buffer): void {
    let sum = 0;
    for (let pass = 0; pass < 10; pass += 1) for (const byte of bytes) sum = (sum * 31 + byte) | 0;
    this.received += sum === 0 ? 0 : 1;
  }
}

function startHub(): { readonly app: App; readonly hub: Hub } {
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
  return { app: apps.byId(APP.id)!, hub };
}

test(`${COMING_BACK} clients that come back at once hold nobody else for more than ${LONGEST_TURN_MS} ms`, async () => {
  const { app, hub } = startHub();
  const queue = new AdmissionQueue();
  const turns = new FlushTurns({ gapMaxMs: 5 });
  onTestFinished(() => turns.close());
  const outbox = new WriteQueue(turns);
  const channels = Array.from({ length: 1000 }, (_, index) => readChannel(`room-${index}`, 200)!);
  const joined: Promise<unknown>[] = [];
  let next = 0;
  const comeBack = (): boolean => {
    const index = next;
    const isAdmitted = queue.enter(app, () => {
      const standIn = new StandIn(`1.${index}`, outbox);
      joined.push(hub.subscriptions.subscribe(app, channels[index % channels.length]!, standIn));
      // Who found the queue full tries again.
      if (next < COMING_BACK) comeBack();
    });
    if (isAdmitted) next += 1;
    return isAdmitted;
  };
  while (next < COMING_BACK && comeBack());
  expect(next).toBeLessThan(COMING_BACK);
  const longestTurnMs = await longestTurn(
    (async () => {
      while (joined.length < COMING_BACK) await nextTurn();
      await Promise.all(joined);
    })(),
  );
  expect(longestTurnMs).toBeLessThan(LONGEST_TURN_MS);
});

test(`a publish to ${STAND_INS} subscribers reaches all, and leaves the event loop to others in between`, async () => {
  const { app, hub } = startHub();
  const channel = readChannel('news', 200)!;
  let flushed: () => void = () => {};
  const turns = new FlushTurns({ gapMaxMs: 0 });
  const outbox = new WriteQueue(turns);
  turns.onFlush = () => flushed();
  const standIns = Array.from({ length: STAND_INS }, (_, index) => new StandIn(`1.${index}`, outbox));
  for (const standIn of standIns) await hub.subscriptions.subscribe(app, channel, standIn);
  await nextFlush();
  expect(turns.statistics.writes).toBe(STAND_INS);

  // What all the writes cost when they are done in one go.
  const frame = Buffer.from('{"event":"news","channel":"news","data":"0123456789"}');
  const start = processorMs();
  for (const standIn of standIns) standIn.write(frame);
  const inOneGoMs = processorMs() - start;
  for (const standIn of standIns) standIn.received = 0;

  const done = nextFlush();
  await hub.publish(app, channel, { name: 'news', data: '0123456789' });
  const longestTurnMs = await longestTurn(done);

  expect(standIns.every(({ received }) => received === 1)).toBe(true);
  expect(longestTurnMs).toBeLessThan(inOneGoMs / 4);

  function nextFlush(): Promise<void> {
    return new Promise((resolve) => {
      flushed = resolve;
    });
  }
});

/** Milliseconds of a processor that this process has used: what others do on the machine does not count. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The most milliseconds of a processor that one turn of the event loop took, until something is done. */
async function longestTurn(done: Promise<void>): Promise<number> {
  let isDone = false;
  void done.then(() => {
    isDone = true;
  });
  let longest = 0;
  for (let last = processorMs(); !isDone; ) {
    await nextTurn();
    const now = processorMs();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}

test(`a publish reaches ${SOCKETS} sockets`, { timeout: 60_000 }, async () => {
  const cli = startCli(['start', '--port', '0'], {
    nodeFlags: ['--max-semi-space-size=4'],
    env: {
      COUNTERSIGN_APPS: JSON.stringify([{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }]),
    },
  });
  const port = Number((await cli.logged('listening'))['port']);
  const broker = { url: `http://127.0.0.1:${port}` };
  const clients: BareClient[] = [];
  while (clients.length < SOCKETS) {
    const count = Math.min(CONNECTING_AT_ONCE, SOCKETS - clients.length);
    clients.push(
      ...(await Promise.all(Array.from({ length: count }, () => BareClient.subscribe(port, 'news')))),
    );
  }

  for (const client of clients) client.received = '';
  for (const data of ['one', 'two']) await publish(broker, 'news', 'headline', data);
  const [health] = await Promise.all([
    fetch(`${broker.url}/health`),
    ...clients.map((client) => client.until('"data":"two"')),
  ]);
  expect(health.status).toBe(200);
  expect(new Set(clients.map(({ received }) => received)).size).toBe(1);
  expect(clients[0]?.received).toMatch(/"data":"one".*"data":"two"/s);
});
