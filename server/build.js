// Builds the server: compiles it, copies what it reads at run time beside its code, and bundles the console.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync } from 'node:fs';

const COPIED = ['adapter/redis/lua', 'audit/lua', 'usage/lua', 'webhooks/cluster/lua', 'cli/dev/page'];

const run = (command, ...args) =>
  execFileSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });

run('tsc', '-p', 'tsconfig.json');
for (const folder of COPIED) cpSync(`src/${folder}`, `dist/${folder}`, { recursive: true });
chmodSync('dist/cli/main.js', 0o755);
run('vite', 'build', 'console', '--logLevel', 'warn');
