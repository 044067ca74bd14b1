/** A broker that was deployed into a folder: started with a configuration, asked, and stopped as a service manager does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** What makes the process end with the one of the test, as text, since its user may not see this folder. */
const leash = readFileSync(new URL('../helpers/brokers/end-with-parent.js', import.meta.url), 'utf8');
const LEASH = `--import=data:text/javascript,${encodeURIComponent(leash)}`;

export interface DeployedBroker {
  readonly url: string;
  /** Sends SIGTERM. @returns the exit code */
  stop(): Promise<number>;
}

/** Writes a configuration with one app that has a random port. */
export function writeConfig(folder: string): string {
  const file = join(folder, 'countersign.json');
  const apps = [{ id: '1', keys: [{ key: 'key-1', secret: 'kT3v0pWzq8kT3v0pWzq8' }] }];
  writeFileSync(file, JSON.stringify({ apps, port: 0, drainWindowSeconds: 0 }));
  return file;
}

export async function startDeployed(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly uid?: number; readonly cwd: string },
): Promise<DeployedBroker> {
  const env = { PATH: process.env['PATH'], NODE_OPTIONS: LEASH, ...options.env };
  const child: ChildProcess = spawn(command, args, { ...options, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    const { msg, port } = JSON.parse(line) as { readonly msg: string; readonly port?: number };
    if (msg !== 'listening') continue;
    child.stdout!.resume();
    return {
      url: `http://127.0.0.1:${port}`,
      async stop() {
        child.kill('SIGTERM');
        const [code] = await exit;
        return code;
      },
    };
  }
  throw new Error(`The broker ended with ${child.exitCode} before it listened`);
}
