import { createServer } from 'node:net';
import { MemoryAdapter, parseConfig } from '@countersign/server';
import { pino } from 'pino';
import { FileAppStore } from '../../server/dist/apps/file-store.js';
import { LocalCore } from '../../server/dist/core.js';
import { CountAnnouncer } from '../../server/dist/hub/counts.js';
import { Metrics } from '../../server/dist/hub/metrics.js';
import { Lease } from '../../server/dist/workers/lease.js';
import { Line } from '../../server/dist/workers/line.js';
import { Switchboard } from '../../server/dist/workers/switchboard.js';

// A parent of workers, with a core for each connection. Its clock begins anew with each, and is moved by messages.
const BEGIN = 1_700_000_000_000;
let now = BEGIN;
process.on('message', (milliseconds) => {
  now += milliseconds;
  process.send('moved');
});

const config = parseConfig({});
const log = pino({ level: 'silent' });
const apps = new FileAppStore(config.apps);

const server = createServer((stream) => {
  now = BEGIN;
  const core = new LocalCore(
    { config, apps, metrics: new Metrics(), log, now: () => now },
    () => new MemoryAdapter(() => now),
  );
  const switchboard = new Switchboard();
  core.adapter.attach(switchboard, core.journal);
  const counts = new CountAnnouncer(core.adapter.bus, log);
  const lease = new Lease(
    { core, apps, counts, switchboard, metrics: async () => '' },
    {
      deliver: (message) => line.tell('deliver', [message]),
      obey: (command) => line.tell('obey', [command]),
    },
  );
  const line = new Line(stream, lease, () => process.exit(1));
  line.ended.then(() => core.close());
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
