import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { bodyMd5, sign } from '@countersign/sdk-server/signature';
import { expect, test } from 'vitest';
import { connect } from '../helpers/clients/client.ts';
import { send, signed, startExample } from '../helpers/http.ts';
import { app } from '../packages/vectors.ts';

const PAGE = readFileSync(new URL('../../docs/http-api.md', import.meta.url), 'utf8');

/** The fenced blocks of a language, without their fences. */
function blocks(language: string): string[] {
  const fenced = PAGE.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)\n\`\`\`$`, 'gm'));
  return Array.from(fenced, ([, block = '']) => block);
}

test('the requests of the page are answered as it says', async () => {
  const broker = await startExample();
  for (const id of ['7', '7', '9']) await (await connect(broker, app)).join('presence-room', { user_id: id });
  await (await connect(broker, app)).join('news');
  for (const id of ['ann', 'bob']) await (await connect(broker, app)).signIn(`{"id":"${id}"}`);

  const requests = blocks('request');
  expect(requests.length).toBeGreaterThan(10);
  for (const request of requests) {
    const lines = request.split('\n');
    const [method = '', target = ''] = lines[0]?.split(' ') ?? [];
    const [path = '', query = ''] = target.split('?');
    const body = lines.length > 2 ? lines[1] : undefined;
    const parameters = Object.fromEntries(new URLSearchParams(query));
    const answer = await send(broker, signed({ method, path, query: parameters, ...(body && { body }) }));
    expect(`${answer.status} ${answer.text}`, request).toBe(lines.at(-1));
  }
});

test('the worked example of signing is right in each step, and the broker accepts it', async () => {
  const [body = ''] = blocks('json');
  const [text = ''] = blocks('text');
  const [curl = ''] = blocks('sh');
  const signature = sign(app.secret, text);
  expect(PAGE).toContain(`has the MD5 \`${bodyMd5(body)}\``);
  expect(PAGE).toContain(`the signature is \`${signature}\``);
  const [, sent, target = ''] = /^curl -d '(.*)' 'http:\/\/127\.0\.0\.1:6001(.*)'$/.exec(curl) ?? [];
  expect(sent).toBe(body);
  const [, path, query] = text.split('\n');
  expect(target).toBe(`${path}?${query}&auth_signature=${signature}`);

  const then = await startExample({ parts: { now: () => 1_353_088_179_000 } });
  expect(await send(then, { method: 'POST', target, body })).toMatchObject({ status: 200, text: '{}' });
  const now = await startExample();
  expect(await send(now, { method: 'POST', target, body })).toMatchObject({ status: 401 });
});

test('the program of the page publishes', async () => {
  const broker = await startExample({ parts: { now: Date.now } });
  const [program = ''] = blocks('js');
  const here = program.replace('http://127.0.0.1:6001', broker.url);
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', here]);
  expect(stdout).toBe('200 {}\n');
});
