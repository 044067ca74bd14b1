import { createServer } from 'node:net';
import { MemoryAdapter, parseConfig } from '@countersign/server';
import { pino } from 'pino';
import { FileAppStore } from '#server/apps/file-store';
import { LocalCore } from '#server/core/local-core';
import { Metrics } from '#server/metrics';
import { ParentState } from '#server/workers/parent-state';
import { Rpc } from '#server/workers/rpc/rpc';
import { passOn, WorkerSession } from '#server/workers/worker-session';

// A parent of workers, with a core for each connection. Its clock begins anew with each, and is moved by messages.
const BEGIN = 1_700_000_000_000;
let now = BEGIN;
process.on('message', (/** @type {number} */ milliseconds) => {
  now += milliseconds;
  process.send?.('moved');
});

process.on('disconnect', () => process.exit());

const config = parseConfig({});
const log = pino({ level: 'silent' });
const apps = new FileAppStore(config.apps);

const server = createServer({ pauseOnConnect: true }, async (stream) => {
  now = BEGIN;
  const clock = () => now;
  const adapter = new MemoryAdapter({ now: clock, monotonic: clock });
  const core = await LocalCore.open({
    config,
    apps,
    metrics: new Metrics(),
    log,
    now: clock,
    monotonic: clock,
    adapter,
  });
  /** @type {import('#server/adapter/adapter').BusListener} */
  const worker = {
    deliver: (message) => passOn(message, rpc),
    obey: (command) => rpc.notify('listener', 'obey', [command]),
    missed: (missed) => rpc.call('listener', 'missed', [missed]),
    answer: (question) => rpc.call('listener', 'answer', [question]),
    proveAgain: () => rpc.notify('listener', 'proveAgain', []),
  };
  const session = new WorkerSession(new ParentState(core, apps, log), worker, async () => '');
  /** @type {Rpc<import('#server/workers/protocol').WorkerApi>} */
  const rpc = new Rpc(
    stream,
    session.api,
    () => process.exit(1),
    (bytes) => session.publish(bytes),
  );
  rpc.ended.then(() => core.close()).catch(() => process.exit(1));
  stream.resume();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' && address?.port);
});
