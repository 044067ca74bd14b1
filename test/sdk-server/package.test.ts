import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { app, channelVectors, MASTER_KEY } from '../packages/vectors.ts';

const run = promisify(execFile);
const here = new URL('.', import.meta.url);
const encrypted = channelVectors.find(({ id }) => id === 'P15')!;

const loads = {
  CommonJS: ['commonjs', (name: string) => `require('${name}')`],
  'ECMAScript modules': ['module', (name: string) => `(await import('${name}'))`],
} as const;

describe.each(Object.entries(loads))('%s', (_, [type, load]) => {
  async function evaluate(expression: string): Promise<unknown> {
    const args = [`--input-type=${type}`, '-e', `console.log(JSON.stringify(${expression}))`];
    const { stdout } = await run(process.execPath, args, { cwd: here });
    return JSON.parse(stdout);
  }

  test('the SDK signs and encrypts', async () => {
    const options = {
      appId: app.id,
      key: app.key,
      secret: app.secret,
      encryptionMasterKeyBase64: MASTER_KEY,
    };
    const client = `new (${load('@countersign/sdk-server')}.Countersign)(${JSON.stringify(options)})`;
    const call = `authorizeChannel('${encrypted.socketId}', '${encrypted.channel}')`;
    expect(await evaluate(`${client}.${call}`)).toEqual({
      auth: `${app.key}:${encrypted.signature}`,
      shared_secret: 'RpbCvg2hpomTzoPaomRoEyueYQkn+p44PjBeoYoMNm0=',
    });
  });

  test('the public names are these', async () => {
    expect(await evaluate(`Object.keys(${load('@countersign/sdk-server')}).sort()`)).toEqual([
      'ArgumentError',
      'Countersign',
      'CountersignError',
      'NetworkError',
      'RequestError',
      'TimeoutError',
      'VERSION',
      'Webhook',
      'WebhookError',
      'WebhookReceiver',
      'isChannelName',
      'isSocketId',
      'isUserId',
      'sign',
      'userChannel',
      'verify',
    ]);
    expect(await evaluate(`Object.keys(${load('@countersign/sdk-server/express')}).sort()`)).toEqual([
      'authRouter',
      'hasRole',
      'inGroup',
      'policy',
      'webhookRouter',
    ]);
  });

  test('the signature module loads alone', async () => {
    const text = `${load('@countersign/sdk-server/signature')}.channelText('1.2', 'private-a')`;
    expect(await evaluate(text)).toBe('1.2:private-a');
  });
});

test.each([
  ['', 'Countersign'],
  ['/express', 'authRouter'],
  ['/signature', 'sign'],
])('tools that do not read "exports" find @countersign/sdk-server%s, and its types', async (entry, name) => {
  const require = createRequire(import.meta.url);
  // By its folder, a package is found as it was before there were "exports".
  const folder = new URL(`../../sdk-server${entry}`, here).pathname;
  expect(require(folder)).toHaveProperty(name);
  const { types } = JSON.parse(await readFile(`${folder}/package.json`, 'utf8'));
  expect(await readFile(`${folder}/${types}`, 'utf8')).toContain(name);
});
