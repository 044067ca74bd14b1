/** The backends of docs/php.md, go.md, python.md and ruby.md, each run by its language, with a client that they let in. */
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PresenceChannel } from '@countersign/sdk-client';
import { describe, expect, test } from 'vitest';
import { startServer } from '../helpers/brokers/server.ts';
import { recorded, startClient } from '../helpers/clients/client-start.ts';
import { newFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/redis/redis.ts';
import { Program } from '../helpers/snippets.ts';

const APP = { id: '1', key: 'key-1', secret: 'secret-of-the-app' };
const WEBHOOK_KEY = 'thirty-two bytes of a webhook key';
const ENV = {
  COUNTERSIGN_SECRET: APP.secret,
  WEBHOOK_SECRET: `whsec_${Buffer.from(WEBHOOK_KEY).toString('base64')}`,
};
/** Go compiles its library once. */
const TIMEOUT = 120_000;

interface Language {
  readonly page: string;
  /** The command that tells whether the machine has what the page needs. */
  readonly needs: readonly [string, ...string[]];
  readonly file: string;
  /** Makes a program of the file, where the language has such a step. */
  readonly compile?: readonly [string, ...string[]];
  run(port: number): readonly [string, ...string[]];
}

const languages: readonly Language[] = [
  {
    page: 'php',
    needs: ['php', '--version'],
    file: 'backend.php',
    run: (port) => ['php', '-S', `127.0.0.1:${port}`, 'backend.php'],
  },
  {
    page: 'go',
    needs: ['go', 'version'],
    file: 'backend.go',
    compile: ['go', 'build', '-o', 'backend', 'backend.go'],
    run: () => ['./backend'],
  },
  {
    page: 'python',
    needs: ['python3', '--version'],
    file: 'backend.py',
    run: () => ['python3', 'backend.py'],
  },
  {
    page: 'ruby',
    needs: ['ruby', '-e', 'require "webrick"'],
    file: 'backend.rb',
    run: () => ['ruby', 'backend.rb'],
  },
];

for (const language of languages) {
  const isMissing = spawnSync(language.needs[0], language.needs.slice(1)).status !== 0;
  const isSkipped = isMissing && !process.env['CI'];
  if (isSkipped)
    console.warn(`skipped, since \`${language.needs.join(' ')}\` fails: docs/${language.page}.md`);

  describe.skipIf(isSkipped)(`the backend of ${language.page}.md`, { timeout: TIMEOUT }, () => {
    test('lets clients in, publishes, and acts on webhooks', async () => {
      const { broker, endpoint } = await start(language);
      const client = startClient(broker as never, {
        channelAuthorization: { endpoint: `${endpoint}/countersign/auth` },
        logLevel: 'silent',
      });
      const inbox = client.subscribe('private-user-7');
      const messages = recorded(inbox);
      const texts = () =>
        messages.flatMap(({ event, data }) => (event === 'message' ? [(data as { text: string }).text] : []));
      await inbox.ready;
      const lobby = client.subscribe('presence-lobby');
      const other = client.subscribe('private-user-8');
      await expect(other.ready).rejects.toMatchObject({ code: 'auth_failed', status: 403 });
      expect(((await lobby.ready) as PresenceChannel).members.me?.id).toBe('7');
      await expect.poll(texts).toEqual(['You are in presence-lobby']);
      expect((await post(`${endpoint}/hello`)).status).toBe(200);
      await expect.poll(texts).toEqual(['You are in presence-lobby', 'Hello, user 7']);
    });

    test('grants nothing for a socket id that could hold another text, or for something else', async () => {
      const { endpoint } = await start(language);
      const ask = async (fields: Record<string, string>) =>
        (await post(`${endpoint}/countersign/auth`, new URLSearchParams(fields))).status;
      expect(await ask({ socket_id: '1.2', channel_name: 'private-user-7' })).toBe(200);
      for (const socket of ['', '1', '1.2:private-user-8', '1.2\n', '\n1.2']) {
        expect(await ask({ socket_id: socket, channel_name: 'private-user-7' }), socket).toBe(400);
      }
      for (const channel of ['', 'private-user-7\n', 'private-user-77', 'presence-lobby:1']) {
        expect(await ask({ socket_id: '1.2', channel_name: channel }), channel).toBe(403);
      }
      expect(await ask({ socket_id: '1.2', 'channel_name[]': 'private-user-7' })).toBe(403);
      const query = 'socket_id=1.2&channel_name=private-user-7';
      expect((await fetch(`${endpoint}/countersign/auth?${query}`)).status).toBeGreaterThanOrEqual(400);
      expect((await post(`${endpoint}/elsewhere`)).status).toBe(404);
    });

    test('believes no webhook that the broker has not signed now, byte for byte', async () => {
      const { endpoint } = await start(language);
      const now = Math.floor(Date.now() / 1000);
      const body = '{"time_ms":1,"events":[{"name":"test","channel":"","id":"ü"}]}';
      const send = async (sentAt: unknown, signature: string, sent = body, id = 'msg_1') => {
        const headers = {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': String(sentAt),
          'webhook-signature': signature,
        };
        return (await fetch(`${endpoint}/webhooks`, { method: 'POST', headers, body: sent })).status;
      };
      const signed = (sentAt: unknown, key = WEBHOOK_KEY) =>
        `v1,${createHmac('sha256', key).update(`msg_1.${sentAt}.${body}`).digest('base64')}`;
      expect(await send(now, signed(now))).toBe(200);
      expect(await send(now, `v1,bm90aGluZw== ${signed(now)}`), 'while the secret changes').toBe(200);
      const refused = {
        'another secret': await send(now, signed(now, APP.secret)),
        'no secret': await send(now, signed(now, '')),
        'no signature': await send(now, ''),
        'another version': await send(now, signed(now).replace('v1,', 'v2,')),
        'a part of it': await send(now, signed(now).slice(0, -1)),
        'text that is no ASCII': await send(now, 'v1,\xfc\xff'),
        'another body': await send(now, signed(now), body.replace('ü', 'u')),
        'another id': await send(now, signed(now), body, 'msg_2'),
        'no id': await send(now, signed(now), body, ''),
        'an old one': await send(now - 400, signed(now - 400)),
        'one of the future': await send(now + 400, signed(now + 400)),
        'no time': await send('', signed('')),
        'a time that is no number': await send(`${now}x`, signed(`${now}x`)),
        'a huge time': await send('9'.repeat(40), signed('9'.repeat(40))),
      };
      for (const [what, status] of Object.entries(refused)) expect(status, what).toBe(401);
    });
  });
}

/** The program of the page beside a broker that sends it webhooks. */
async function start({ page, file, compile, run }: Language) {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const hook = {
    id: 'backend',
    url: `${endpoint}/webhooks`,
    events: ['member_added'],
    secret: ENV.WEBHOOK_SECRET,
  };
  const broker = await startServer({
    app: { id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], webhooks: [hook] },
  });
  const cwd = newFolder();
  const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), 'utf8');
  const code = new RegExp(`^\`\`\`${page}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(text)?.[1] ?? '';
  const adapted = code
    .replace('127.0.0.1:6001', `127.0.0.1:${broker.port}`)
    .replace('dev-key', APP.key)
    .replace('3000', String(port));
  writeFileSync(join(cwd, file), adapted);
  if (compile) await new Program(compile[0], compile.slice(1), { cwd }).succeeded();
  const [command, ...args] = run(port);
  new Program(command, args, { cwd, env: ENV });
  const isUp = () => post(`${endpoint}/elsewhere`).then(Boolean, () => false);
  await expect.poll(isUp, { timeout: 30_000 }).toBe(true);
  return { broker, endpoint };
}

function post(url: string, body?: URLSearchParams): Promise<Response> {
  return fetch(url, { method: 'POST', ...(body && { body }) });
}
