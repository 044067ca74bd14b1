/** The mistakes that are made in a backend or around the broker: what the terminal says. */
import { inspect } from 'node:util';
import type { Countersign, CountersignOptions } from '@countersign/sdk-server';
import { authRouter, webhookRouter } from '@countersign/sdk-server/express';
import express, { type RequestHandler } from 'express';
import { expect, onTestFinished, test, vi } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { startCli } from '../helpers/brokers/cli.ts';
import { listen } from '../helpers/brokers/recorder.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { mistakesOf } from '../helpers/mistakes.ts';

const SOCKET = '1234.5678';
const FORM = 'application/x-www-form-urlencoded';
const WEBHOOK = '{"time_ms":1,"events":[]}';

type Options = Partial<CountersignOptions>;

async function said(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    return String(error);
  }
  throw new Error('It was accepted');
}

/** What a publish by an SDK with these options rejects with. */
async function publish(
  options: Options,
  channel = 'news',
  event = 'hello',
  data: unknown = {},
): Promise<string> {
  const broker = await startServer();
  return said(() => countersignFor(broker, { maxRetries: 0, ...options }).trigger(channel, event, data));
}

/** What the SDK writes to the terminal while it handles a request, without a logger of the app. */
async function terminal(
  handlers: (countersign: Countersign) => RequestHandler[],
  path: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ readonly written: string; readonly answer: string }> {
  const lines: string[] = [];
  const write = (...parts: unknown[]) =>
    lines.push(parts.map((part) => (typeof part === 'string' ? part : inspect(part))).join(' '));
  const spy = vi.spyOn(console, 'error').mockImplementation(write);
  onTestFinished(() => spy.mockRestore());
  const app = express();
  app.use(...handlers(countersignFor({ host: '127.0.0.1', port: 9 })));
  const port = await listen(app);
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body });
  return { answer: await response.text(), written: lines.join('\n') };
}

const receiving = (countersign: Countersign): RequestHandler => webhookRouter(countersign, { onEvents() {} });
const signedBy = (key: string) => ({
  'content-type': 'application/json',
  'x-pusher-key': key,
  'x-pusher-signature': '0'.repeat(64),
});

/** An auth endpoint whose `user` is as given. */
const asking = (user: () => unknown, type = FORM) =>
  terminal(
    (countersign) => [
      express.text({ type: () => true }),
      authRouter(countersign, { user: user as () => { id: string }, canAccess: () => true }),
    ],
    '/auth',
    { 'content-type': type },
    `socket_id=${SOCKET}&channel_name=private-room`,
  );

const MAKE: Readonly<Record<string, () => Promise<string>>> = {
  'a publish with the wrong secret': () => publish({ secret: 'another' }),
  'with a key that the app does not have': () => publish({ key: 'nope' }),
  'with the id of no app': () => publish({ appId: 'nope' }),
  'the clock is 20 minutes slow': () => publish({ now: () => Date.now() - 20 * 60_000 }),
  'nothing listens at the port': async () => {
    const gone = await startServer();
    const { port } = gone;
    await gone.close();
    return publish({ port });
  },
  'the host has no address': () => publish({ host: 'nowhere.invalid', useTLS: false }),
  'TLS to a port without it': () => publish({ useTLS: true }),
  'the host has a scheme': () => publish({ host: 'http://localhost' }),
  'the secret is undefined': () => publish({ secret: undefined as unknown as string }),
  'a space in the name of a channel': () => publish({}, 'my news'),
  'the data is too large': () => publish({}, 'news', 'hello', 'x'.repeat(20_000)),
  'the name of the event is reserved': () => publish({}, 'news', 'pusher:x'),
  '`express.json()` ahead of `webhookRouter`': async () =>
    (await terminal((sdk) => [express.json(), receiving(sdk)], '/', signedBy(APP.key), WEBHOOK)).written,
  'a webhook, and the wrong secret': async () =>
    (await terminal((sdk) => [receiving(sdk)], '/', signedBy(APP.key), WEBHOOK)).written,
  'a webhook without its headers': async () =>
    (await terminal((sdk) => [receiving(sdk)], '/', { 'content-type': 'application/json' }, WEBHOOK)).written,
  '`user` throws': async () => {
    const { written } = await asking(() => {
      throw new Error('no such table: sessions');
    });
    return written;
  },
  '`user` returns a user without an id': async () =>
    (await asking(() => ({ _id: '7', name: 'Ann' }))).written,
  'the body comes as another type': async () =>
    JSON.parse((await asking(() => ({ id: '7' }), 'text/plain')).answer).error,
  'Kubernetes names a service `countersign`': async () => {
    const cli = startCli(['start', '--port', '0'], {
      env: {
        COUNTERSIGN_SERVICE_HOST: '10.96.14.2',
        COUNTERSIGN_PORT: 'tcp://10.96.14.2:6001',
        COUNTERSIGN_APPS: JSON.stringify([{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }]),
      },
    });
    const { msg } = await cli.logged('listening');
    return String(msg);
  },
};

test('the tables have all 43 mistakes', () => {
  const numbers = ['In the page', 'Of two origins', 'In the backend'].flatMap((heading) =>
    mistakesOf(heading).map(({ number }) => number),
  );
  const all = Array.from({ length: 43 }, (_, index) => index + 1);
  expect([...new Set(numbers)].sort((a, b) => a - b)).toEqual(all);
});

test.each(mistakesOf('In the backend'))('$number: $name', async ({ name, told, score }) => {
  const text = await MAKE[name]?.();
  expect(text).toMatch(told);
  expect(text).not.toContain(APP.secret);
  expect(score).toBeGreaterThanOrEqual(2.5);
});

test('what a log in JSON keeps of an error says it, too', async () => {
  const lines: object[] = [];
  const keep = (fields: object): void => void lines.push(JSON.parse(JSON.stringify(fields)));
  const app = express().use(
    authRouter(countersignFor({ host: '127.0.0.1', port: 9 }), {
      user: () => Promise.reject(new Error('no such table: sessions')),
      canAccess: () => true,
      logger: { info() {}, warn: keep, error: keep },
    }),
  );
  const body = new URLSearchParams({ socket_id: SOCKET, channel_name: 'private-room' });
  await fetch(`http://127.0.0.1:${await listen(app)}/auth`, { method: 'POST', body });
  expect(lines).toMatchObject([{ outcome: 'failed', reason: 'Error: no such table: sessions' }]);
});
