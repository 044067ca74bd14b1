/** The server libraries of docs/stock-clients.md publish what its clients hear. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startServer } from '../helpers/brokers/server.ts';
import { open } from '../helpers/clients/client.ts';
import { Program, readersFolder, snippetsOf } from '../helpers/snippets.ts';

const APP = { id: '1', key: 'dev-key', secret: 'stock-secret' };
const blocks = snippetsOf('stock-clients.md');
/** Registries are asked, and a library is compiled. */
const TIMEOUT = 300_000;
/** Those whose tools a machine rarely has all: `npm run test:libraries`. */
const ALL = process.env['ALL_LIBRARIES'] !== undefined;

interface Library {
  readonly file: string;
  /** Programs that it needs in the path. */
  readonly needs: string;
  /** Commands in the folder of the block; the last one publishes. */
  readonly commands: readonly (readonly [string, ...string[]])[];
  readonly files?: Readonly<Record<string, string>>;
}

const MAVEN = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>publish</artifactId><version>1</version>
<dependencies><dependency><groupId>com.pusher</groupId><artifactId>pusher-http-java</artifactId>
<version>1.3.4</version></dependency></dependencies></project>`;

const often: readonly Library[] = [
  { file: 'publish.js', needs: 'node', commands: [['node', 'publish.js']] },
  {
    file: 'publish.py',
    needs: 'python3',
    commands: [
      ['python3', '-m', 'venv', 'env'],
      ['env/bin/pip', 'install', '--quiet', '--disable-pip-version-check', 'pusher==3.3.4'],
      ['env/bin/python', 'publish.py'],
    ],
  },
];

const rarely: readonly Library[] = [
  {
    file: 'main.go',
    needs: 'go',
    commands: [
      ['go', 'mod', 'init', 'publish'],
      ['go', 'get', 'github.com/pusher/pusher-http-go/v5@v5.1.1'],
      ['go', 'run', '.'],
    ],
  },
  {
    file: 'Publish.java',
    needs: 'mvn',
    files: { 'pom.xml': MAVEN },
    commands: [
      ['mvn', '--quiet', '--batch-mode', 'dependency:copy-dependencies', '-DoutputDirectory=lib'],
      ['java', '-cp', 'lib/*', 'Publish.java'],
    ],
  },
  {
    file: 'main.rs',
    needs: 'cargo',
    commands: [
      ['cargo', 'init', '--quiet', '--name', 'publish', '--vcs', 'none'],
      ['cargo', 'add', '--quiet', 'pusher@0.4.5', 'serde_json'],
      ['cargo', 'add', '--quiet', 'tokio', '--features', 'macros,rt-multi-thread'],
      ['cargo', 'run', '--quiet'],
    ],
  },
];

for (const library of ALL ? [...often, ...rarely] : often) {
  const { file, needs } = library;
  const isMissing = spawnSync('which', [needs]).status !== 0;
  if (isMissing) console.warn(`skipped, since no ${needs} is in the path: ${file} of docs/stock-clients.md`);
  test.skipIf(isMissing && !process.env['CI'])(`${file} publishes`, { timeout: TIMEOUT }, async () => {
    const broker = await startServer({ app: { id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] } });
    const client = await open(broker, `/app/${APP.key}?protocol=7`).established();
    client.subscribe('news');
    expect(await client.nextMessage()).toMatchObject({
      event: 'pusher_internal:subscription_succeeded',
    });
    await publishWith(library, broker.port);
    const { event, data } = await client.nextMessage();
    expect([event, JSON.parse(String(data))]).toEqual(['headline', { text: 'Hello' }]);
  });
}

async function publishWith({ file, files, commands }: Library, port: number): Promise<void> {
  const folder = readersFolder();
  for (const [name, text] of Object.entries(files ?? {})) writeFileSync(join(folder, name), text);
  const env = { COUNTERSIGN_SECRET: APP.secret };
  const write = (at: string) =>
    writeFileSync(join(folder, at), blocks.get(file)!.replace('6001', String(port)));
  mkdirSync(join(folder, 'src'));
  write(file);
  for (const [command, ...args] of commands) {
    // Cargo makes a program of its own, which is then replaced.
    if (args[0] === 'run') write(file === 'main.rs' ? 'src/main.rs' : file);
    await new Program(command, args, { cwd: folder, env }).succeeded();
  }
}
