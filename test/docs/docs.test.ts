import { readdirSync, readFileSync } from 'node:fs';
import { channelText, sign, userText } from '@countersign/sdk-server/signature';
import { createServer } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { errorCodes } from '#server/error-codes';
import { codes } from '#server/errors';
import { publish } from '../helpers/api.ts';
import { configOf } from '../helpers/brokers/server.ts';
import { open, type TestClient } from '../helpers/clients/client.ts';

const DOCS = new URL('../../docs/', import.meta.url);
const TESTS = new URL('../', import.meta.url);
const SOURCES = new URL('../../server/src/', import.meta.url);
const APP = { id: '3', key: '278d425bdf160c739803', secret: '7ad3773142a6692b25b8' };
const SOCKET_IDS = { A: '1234.1234', B: '98765.43210' } as const;

const PATH = `/app/${APP.key}?protocol=7`;
const FIRST_FRAME =
  'A < {"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1234.1234\\",\\"activity_timeout\\":120}"}';

const pages = readdirSync(DOCS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
const readmes = ['', 'server/', 'sdk-server/', 'sdk-client/'].map((folder) => `../${folder}README.md`);

describe('the conversations in the documentation happen as written', () => {
  for (const page of pages) {
    for (const { title, lines } of conversations(readFileSync(new URL(page, DOCS), 'utf8'))) {
      test(`${page}: ${title}`, () => replay(lines));
    }
  }
});

test.each(['access.md', 'controls.md', 'revocations.md'])('the tests that %s names exist', (page) => {
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' });
  const folders = new Set(files.flatMap((name) => (name.includes('/') ? [name.split('/')[0]] : [])));
  const named = [...readFileSync(new URL(page, DOCS), 'utf8').matchAll(/`(([a-z-]+)\/[a-z.-]+)`/g)]
    .filter(([, , folder]) => folders.has(folder))
    .map(([, name]) => name);
  expect(named).not.toEqual([]);
  const isThere = (name: string) =>
    files.some((file) => file.startsWith(`${name}.`) || file.startsWith(`${name}/`));
  expect(named.filter((name) => name === undefined || !isThere(name))).toEqual([]);
});

test('delivery.md names a test for each promise, by its title', () => {
  const text = readFileSync(new URL('delivery.md', DOCS), 'utf8');
  const promises =
    text.slice(text.indexOf('\n## What holds these promises\n')).match(/^\| (?!promise|---).*$/gm) ?? [];
  expect(promises.length).toBeGreaterThan(20);
  const missing = promises.filter((row) => {
    const [, file, title] = /`([a-z-]+\/[a-z.-]+)`: \*(.+)\* \|$/.exec(row) ?? [];
    if (file === undefined || title === undefined) return true;
    const source = readFileSync(new URL(`${file}.test.ts`, TESTS), 'utf8');
    return !source.includes(title);
  });
  expect(missing).toEqual([]);
});

describe('every error has a heading in errors.md', () => {
  const page = readFileSync(new URL('errors.md', DOCS), 'utf8');
  const headings = page.match(/^#+ .*$/gm) ?? [];

  test.each(Object.entries(codes))('%s: %d', (_, code) => {
    expect(headings).toContain(`### ${code}`);
  });

  test('the text codes have one each, and nothing else has', () => {
    const broker = page.slice(page.indexOf('\n## Text codes\n')).match(/^### .*$/gm) ?? [];
    const codes = broker.flatMap((heading) => /^### ([a-z][a-z0-9_]*)$/.exec(heading)?.[1] ?? []);
    expect(codes).toEqual(Object.keys(errorCodes));
  });

  test('so have the codes of the client SDK', () => {
    const source = readFileSync(new URL('../sdk-client/src/errors.ts', DOCS), 'utf8');
    const codes = [...source.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(10);
    for (const code of [...codes, 'connection_failed']) expect(headings).toContain(`### ${code}`);
  });

  test('each text code is that of some refusal', () => {
    const text = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && name !== 'error-codes.ts')
      .map((name) => readFileSync(new URL(name, SOURCES), 'utf8'))
      .join('\n');
    const unused = Object.keys(errorCodes).filter((code) => !text.includes(`'${code}'`));
    expect(unused).toEqual([]);
  });

  test('a subscription that is refused', () => {
    const sources = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const refusals = sources.flatMap((name) => [
      ...readFileSync(new URL(name, SOURCES), 'utf8').matchAll(
        /(?:SubscriptionRefusal|super)\(\s*'(\w+)',\s*(\d{3}),/g,
      ),
    ]);
    expect(refusals.length).toBeGreaterThan(8);
    for (const [, type, status] of refusals) expect(headings).toContain(`### ${type} ${status}`);
  });
});

describe('links in the documentation lead somewhere', () => {
  for (const page of [...readmes, ...pages]) {
    test(page, () => {
      const base = new URL(page, DOCS);
      const text = readFileSync(base, 'utf8');
      for (const [, path = '', heading] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
        const target = path === '' ? base : new URL(path, base);
        expect(() => readFileOrFolder(target), path).not.toThrow();
        if (heading !== undefined) expect(anchorsOf(readFileSync(target, 'utf8')), path).toContain(heading);
      }
    });
  }
});

test('links to the documentation in the texts of the broker and the SDKs lead somewhere', () => {
  const sources = ['server/src/', 'sdk-server/src/', 'sdk-client/src/'].flatMap((folder) => {
    const base = new URL(`../${folder}`, DOCS);
    return readdirSync(base, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(new URL(name, base), 'utf8'));
  });
  const links = sources.flatMap((text) => [...text.matchAll(/docs\/([\w-]+\.md)(?:#([\w-]+))?/g)]);
  expect(links.length).toBeGreaterThan(10);
  for (const [link, page = '', heading] of links) {
    const text = readFileSync(new URL(page, DOCS), 'utf8');
    if (heading !== undefined) expect(anchorsOf(text), link).toContain(heading);
  }
});

/** The names that headings have in links. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

function readFileOrFolder(url: URL): void {
  try {
    readFileSync(url);
  } catch {
    readdirSync(url);
  }
}

function* conversations(text: string): Generator<{ title: string; lines: string[] }> {
  let title = '';
  for (const [block, heading, body] of text.matchAll(/^#+ (.*)$|^```conversation\n([\s\S]*?)^```$/gm)) {
    if (heading !== undefined) title = heading;
    else if (body !== undefined) yield { title, lines: body.trim().split('\n') };
    else throw new Error(`Unexpected block: ${block}`);
  }
}

async function replay(lines: readonly string[]): Promise<void> {
  const socketIds: string[] = [SOCKET_IDS.A, SOCKET_IDS.B];
  const app = { id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] };
  const broker = await createServer(configOf({ app }), { newSocketId: () => socketIds.shift()! });
  onTestFinished(() => broker.close());
  const a = open(broker, PATH);
  const clients = {
    A: lines[0] === FIRST_FRAME ? a : await a.established(),
    B: await open(broker, PATH).established(),
  };

  for (const line of lines) {
    const [, who, verb, rest = ''] = /^(A|B|HTTP) (<|>|signs in|signs|publishes) (.*)$/.exec(line) ?? [];
    if (who === 'HTTP') {
      const { channel, name, data } = JSON.parse(rest);
      await publish(broker, channel, name, data, {}, APP);
    } else if (who === 'A' || who === 'B') {
      await step(clients[who], SOCKET_IDS[who], verb, rest);
    } else {
      throw new Error(`Not a line of a conversation: ${line}`);
    }
  }
  for (const client of Object.values(clients)) expect(await client.nothing()).toEqual([]);
}

async function step(
  client: TestClient,
  socketId: string,
  verb: string | undefined,
  rest: string,
): Promise<void> {
  if (verb === '<') {
    expect(await client.next()).toBe(rest);
  } else if (verb === '>') {
    client.send(rest);
  } else if (verb === 'signs in') {
    const auth = `${APP.key}:${sign(APP.secret, userText(socketId, rest))}`;
    client.send({ event: 'pusher:signin', data: { auth, user_data: rest } });
  } else {
    const { channel, channel_data: channelData } = JSON.parse(rest);
    const auth = `${APP.key}:${sign(APP.secret, channelText(socketId, channel, channelData))}`;
    client.subscribe(channel, { auth, ...(channelData && { channel_data: channelData }) });
  }
}
