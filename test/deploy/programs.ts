/** Programs of those who deploy: a test that needs one is skipped where it is missing, and says so. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export function hasProgram(name: string): boolean {
  const found = spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
  if (!found) process.stdout.write(`${name} is not installed: what needs it is skipped\n`);
  return found;
}
