/** The complete example of the README, in a process of its own, with the broker that `npm start` starts. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { LEASH, startCli } from '../helpers/brokers/cli.ts';
import { eventually } from '../helpers/clients/client-start.ts';
import { freePort } from '../helpers/redis/redis.ts';

const README = new URL('../../README.md', import.meta.url);

async function example(): Promise<string> {
  const text = await readFile(README, 'utf8');
  const code = /^## A private message in 20 lines\n[\s\S]*?^```js\n([\s\S]*?)^```$/m.exec(text)?.[1] ?? '';
  expect(code.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(20);
  return code;
}

/** Runs it beside the packages, as in the clone, and returns what it prints from now on. */
async function run(code: string, secret: string): Promise<string[]> {
  const file = fileURLToPath(new URL(`.readme-${randomUUID()}.mjs`, import.meta.url));
  await writeFile(file, code);
  const child = spawn(process.execPath, [...LEASH, file], {
    env: { PATH: process.env['PATH'], COUNTERSIGN_SECRET: secret },
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(file);
  });
  const printed: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => printed.push(text));
  return printed;
}

test('a private message arrives, and the terminal says why another user is refused', async () => {
  const dev = startCli(['dev', '--port', '0']);
  const secret = (await dev.line('  secret ')).replace(/ +secret +/, '');
  const { port } = new URL((await dev.line('  page ')).replace(/ +page +/, ''));
  const code = (await example()).replaceAll('6001', port);
  const printed = await run(code.replaceAll('3000', String(await freePort())), secret);
  await eventually(() => printed.join('')).toBe('Hello, user 7\n');

  const other = code.replace("subscribe('private-user-7')", "subscribe('private-user-8')");
  const refused = await run(other.replaceAll('3000', String(await freePort())), secret);
  await eventually(() => refused.join('')).toMatch(
    /private-user-8 is not subscribed: .* status 403: You may not join this channel\. The app decided so: see its canAccess\./,
  );
});
