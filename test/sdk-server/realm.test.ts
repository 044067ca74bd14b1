/** The SDK in a realm of its own, as Jest loads it: errors, bytes and signals of the platform are of another one. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { beforeAll, expect, test } from 'vitest';
import { closedPort, listen, startRecorder } from '../helpers/brokers/recorder.ts';
import { app, MASTER_KEY, webhookVectors } from '../packages/vectors.ts';

type Sdk = typeof import('@countersign/sdk-server');

const require = createRequire(import.meta.url);
const credentials = { appId: app.id, key: app.key, secret: app.secret };
let sdk: Sdk;

beforeAll(() => {
  sdk = loadElsewhere(require.resolve('@countersign/sdk-server')) as Sdk;
});

/** Loads a module by `require` in a realm whose AbortController is not that of the platform. */
function loadElsewhere(path: string): unknown {
  class Foreign {
    readonly signal = { aborted: false };
    static timeout = () => new Foreign().signal;
  }
  const { fetch, setTimeout, clearTimeout, performance, URL, Buffer, TextDecoder } = globalThis;
  const context = createContext({
    ...{ fetch, setTimeout, clearTimeout, performance, URL, Buffer, TextDecoder },
    AbortController: Foreign,
    AbortSignal: Foreign,
  });
  const loaded = new Map<string, { exports: unknown }>();
  const load = (file: string): unknown => {
    const known = loaded.get(file);
    if (known) return known.exports;
    const module = { exports: {} as unknown };
    loaded.set(file, module);
    const requireFrom = (name: string): unknown => {
      if (name.startsWith('.')) return load(join(dirname(file), name));
      if (name === 'tweetnacl') return load(require.resolve(name));
      return require(name);
    };
    const wrapped = `(function (exports, require, module) {${readFileSync(file, 'utf8')}\n})`;
    runInContext(wrapped, context)(module.exports, requireFrom, module);
    return module.exports;
  };
  return load(path);
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );

test('a request is sent, and ends in time', async () => {
  const broker = await startRecorder({}, null);
  const client = new sdk.Countersign({ ...credentials, port: broker.port, timeout: 500 });
  expect(await client.trigger('a', 'e', {})).toEqual({});
  expect(await codeOf(client.channels())).toBe('timeout');
});

test('a connection that was refused is known as such', async () => {
  const port = await closedPort();
  let attempts = 0;
  const fetch: typeof globalThis.fetch = (...request) => {
    attempts += 1;
    return globalThis.fetch(...request);
  };
  const client = new sdk.Countersign({ ...credentials, port, maxRetries: 1, fetch });
  expect(await codeOf(client.trigger('a', 'e', {}))).toBe('network');
  expect(attempts).toBe(2);
});

test('an event is encrypted', async () => {
  const broker = await startRecorder();
  const encryption = { encryptionMasterKeyBase64: MASTER_KEY };
  const client = new sdk.Countersign({ ...credentials, ...encryption, port: broker.port });
  await client.trigger('private-encrypted-a', 'e', {});
  expect(JSON.parse(JSON.parse(broker.requests[0]!.body).data)).toHaveProperty('ciphertext');
});

test('a webhook is read from bytes and from a request', async () => {
  const { body, key, signature } = webhookVectors.find(({ id }) => id === 'W2')!;
  const headers = {
    'content-type': 'application/json',
    'x-pusher-key': key,
    'x-pusher-signature': signature,
  };
  const client = new sdk.Countersign({ ...credentials, now: () => 1_700_000_000_123 });
  const ofBytes = client.webhook({ headers, rawBody: Buffer.from(body) });
  expect((await ofBytes.verify()).events()).toHaveLength(3);
  const port = await listen(async (req, res) => {
    res.end(await codeOf(client.webhook(req).verify()));
  });
  const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers, body });
  expect(await response.text()).toBe('done');
});
