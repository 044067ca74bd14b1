import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { Inbox } from '../clients/event-inbox.ts';

const START = fileURLToPath(new URL('../../../docs/examples/chat/start.js', import.meta.url));

/** The chat of the examples. */
export interface Chat {
  readonly url: string;
  readonly process: ChildProcess;
}

/** Starts the example as `npm run example` does, on free ports; it ends with the test. */
export async function startChat(): Promise<Chat> {
  const child = spawn(process.execPath, [START], {
    env: { PATH: process.env['PATH'], PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines = new Inbox<string>('the line with the URL');
  createInterface({ input: child.stdout }).on('line', lines.put);
  const [url] = /http:\S+/.exec(await lines.next()) ?? [];
  if (!url) throw new Error('The first line has no URL');
  return { url, process: child };
}
