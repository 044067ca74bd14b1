/** The tests of docs/testing.md, run by Node. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

test('the tests of the documentation pass, and fail where the rule of the app is another', async () => {
  const page = await readFile(new URL('../../docs/testing.md', import.meta.url), 'utf8');
  const code = /^```js\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? '';
  expect(await run(code)).toEqual({ status: 0, passed: 2, failed: 0 });
  const open = code.replace(/channelName === [^)]+/, 'channelName');
  expect(await run(open)).toEqual({ status: 1, passed: 1, failed: 1 });
});

/** Runs it beside the packages, as an app would. */
async function run(code: string): Promise<{ status: number; passed: number; failed: number }> {
  const file = fileURLToPath(new URL(`.testing-${randomUUID()}.mjs`, import.meta.url));
  await writeFile(file, code);
  onTestFinished(() => rm(file));
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', file], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const [status] = (await once(child, 'close')) as [number];
  const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(printed)?.[1]);
  return { status, passed: count('pass'), failed: count('fail') };
}
