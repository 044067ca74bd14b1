import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { LEASH } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { APP } from '../helpers/brokers/server.ts';
import { eventually } from '../helpers/eventually.ts';

const CLI = new URL('../../server/dist/cli/main.js', import.meta.url).pathname;
/** What a process of tests does: it starts a broker, and passes on what that says. */
const PARENT = `
const { spawn } = require('node:child_process');
const child = spawn(process.execPath, JSON.parse(process.argv[1]), { stdio: 'pipe' });
child.stdout.pipe(process.stdout);`;

test.each([
  ['one process', [], 'listening'],
  ['workers', ['--workers', '2'], 'all workers listen'],
])(
  'a broker of %s ends with the test that started it, though that is killed',
  async (_what, flags, ready) => {
    const file = await fileWith({
      port: 0,
      apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }],
    });
    const args = [...LEASH, CLI, 'start', '--config', file, ...flags];
    const parent = spawn(process.execPath, ['-e', PARENT, JSON.stringify(args)], { stdio: 'pipe' });
    onTestFinished(() => void parent.kill('SIGKILL'));
    let port = 0;
    for await (const line of createInterface({ input: parent.stdout })) {
      const { msg, port: taken } = JSON.parse(line);
      port = taken;
      if (msg === ready) break;
    }
    const client = connect(port, '127.0.0.1');
    onTestFinished(() => void client.destroy());
    await once(client, 'connect');
    // A process that is killed may reset its connections.
    client.on('error', () => {});
    const closed = new Promise((resolve) => client.once('close', resolve));
    parent.kill('SIGKILL');
    await closed;
    await eventually(() => expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow());
  },
);
