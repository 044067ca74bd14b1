/** The commands of docs/deploy.md from a bare machine to two nodes behind TLS, run as they stand: only paths and ports are of a folder. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { z } from 'zod';
import { newFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/redis/redis.ts';
import { hasProgram, ROOT } from './programs.ts';

const run = promisify(execFile);
const SLOW_MS = 300_000;
const PROGRAMS = ['dpkg-deb', 'haproxy', 'redis-server', 'openssl', 'curl'];

/** What stands in for the programs that change a whole machine. */
const SHIMS = {
  // What the packages of Debian bring is here already, and Redis would run after its installation.
  apt: `case "$*" in *redis-server*) redis-server "$SYSTEM/etc/redis/redis.conf" ;; esac
for each in "$@"; do
  case $each in *.deb)
    dpkg --root="$SYSTEM" --force-not-root --force-depends --force-script-chrootless --log=/dev/null --install "$each" ;;
  esac
done`,
  npm: `case "$1" in ci | run) exit ;; esac
exec "$NPM" "$@"`,
  'redis-cli': `exec "$REDIS_CLI" -p "$REDIS_PORT" "$@"`,
  systemctl: `for unit in "$@"; do
  case $unit in
    haproxy) haproxy -D -p "$SYSTEM/run/haproxy.pid" -f "$SYSTEM/etc/haproxy/haproxy.cfg" ;;
    countersign@*)
      text=$(sed -e "s/%i/\${unit#*@}/g" -e "s#=-/etc/#=$SYSTEM/etc/#; s# /etc/# $SYSTEM/etc/#; s#=/usr/#=$SYSTEM/usr/#" \\
        "$SYSTEM/usr/lib/systemd/system/countersign@.service")
      value() { sed -n "s/^$1=//p" <<< "$text"; }
      env -i PATH="$PATH" $(value Environment) $(cat "$(value EnvironmentFile)") $(value ExecStart) \\
        > "$SYSTEM/run/$unit.log" 2>&1 &
      echo $! > "$SYSTEM/run/$unit.pid" ;;
  esac
done`,
};

/** The commands of the section, in their order. */
function commands(): string {
  const page = readFileSync(`${ROOT}docs/deploy.md`, 'utf8');
  const [, section = ''] = /^## From nothing to two nodes\n([\s\S]*?)^## /m.exec(page) ?? [];
  return Array.from(section.matchAll(/^```sh\n([\s\S]*?)^```$/gm), ([, block]) => block).join('\n');
}

/** A folder that is the machine: what is installed, written and started is in it. */
async function bareMachine() {
  const system = newFolder();
  for (const each of ['var/lib/dpkg', 'etc/haproxy', 'etc/redis', 'run', 'shims', 'work'])
    mkdirSync(join(system, each), { recursive: true });
  writeFileSync(join(system, 'var/lib/dpkg/status'), '');
  const [redis, first, second, tls] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  writeFileSync(
    join(system, 'etc/redis/redis.conf'),
    `port ${redis}\nbind 127.0.0.1\ndaemonize yes\ndir ${system}\npidfile ${system}/run/redis.pid\n`,
  );
  for (const [name, text] of Object.entries(SHIMS))
    writeFileSync(join(system, 'shims', name), `#!/bin/bash\nset -eu\n${text}\n`, { mode: 0o755 });
  onTestFinished(() => {
    for (const name of ['redis', 'haproxy', `countersign@${first}`, `countersign@${second}`])
      end(join(system, 'run', `${name}.pid`));
  });
  const ports = new Map(Object.entries({ 6379: redis, 6001: first, 6002: second }));
  const here = (text: string) =>
    text
      .replaceAll(/\b(6379|6001|6002)\b/g, (port) => String(ports.get(port)))
      .replaceAll('bind :443', `bind 127.0.0.1:${tls}`)
      .replaceAll('https://localhost', `https://localhost:${tls}`)
      .replaceAll('/etc/', `${system}/etc/`)
      .replaceAll(/^deploy\//gm, `${ROOT}deploy/`);
  const { stdout: npm } = await run('sh', ['-c', 'command -v npm']);
  const { stdout: redisCli } = await run('sh', ['-c', 'command -v redis-cli']);
  const env = {
    PATH: `${system}/shims:${system}/usr/bin:${process.env['PATH']}`,
    // npm has its registry there.
    HOME: process.env['HOME'],
    XDG_CONFIG_HOME: join(system, 'work'),
    SYSTEM: system,
    NPM: npm.trim(),
    REDIS_CLI: redisCli.trim(),
    REDIS_PORT: String(redis),
    // A cold start is the faster one.
    COUNTERSIGN_WARM_UP_SECONDS: '0',
  };
  const work = join(system, 'work');
  return { here, env, work, tls, certificate: join(system, 'etc/haproxy/channels.crt') };
}

function end(pidFile: string): void {
  if (!existsSync(pidFile)) return;
  try {
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

describe.skipIf(!PROGRAMS.every(hasProgram))('a bare Debian', () => {
  test('becomes two nodes behind TLS with three apps, a token of a team and a usage export', {
    timeout: SLOW_MS,
  }, async () => {
    const machine = await bareMachine();
    const script = `set -euo pipefail\n${machine.here(commands())}`;
    const { stdout } = await run('bash', ['-c', script], { cwd: machine.work, env: machine.env });
    expect(stdout).toMatch(/✓ echo .* came back/);

    const read = (name: string) => readFileSync(join(machine.work, name), 'utf8');
    const [header, row, ...others] = read('usage.csv').trimEnd().split('\r\n');
    const columns = header?.split(',') ?? [];
    const values = Object.fromEntries((row?.split(',') ?? []).map((value, at) => [columns[at], value]));
    expect(values).toMatchObject({ app: 'shop', unit: 'hour' });
    expect(Number(values['messages_published'])).toBeGreaterThan(0);
    expect(others).toEqual([]);

    const { token } = z.object({ token: z.string() }).parse(JSON.parse(read('shop-team.json')));
    const ask = async (path: string, bearer: string) => {
      const url = `https://localhost:${machine.tls}/admin/v1${path}`;
      const { stdout } = await run('curl', [
        ...['--silent', '--cacert', machine.certificate, '--header', `Authorization: Bearer ${bearer}`],
        url,
      ]);
      return JSON.parse(stdout);
    };
    expect((await ask('/apps', token)).apps.map(({ id }: { id: string }) => id)).toEqual(['shop']);
    expect(await ask('/apps/chat', token)).toMatchObject({ status: 404, code: 'app_not_found' });
    expect(await ask('/nodes', token)).toMatchObject({ status: 403 });
    const environment = readFileSync(`${machine.env.SYSTEM}/etc/countersign/environment`, 'utf8');
    const owner = /^COUNTERSIGN_ADMIN_TOKEN=(.+)$/m.exec(environment)?.[1] ?? '';
    expect((await ask('/nodes', owner)).nodes).toMatchObject([{ state: 'ready' }, { state: 'ready' }]);

    const { keys } = JSON.parse(read('chat.json'));
    const socket = new WebSocket(`wss://localhost:${machine.tls}/app/${keys[0].key}?protocol=7`, {
      ca: readFileSync(machine.certificate),
    });
    onTestFinished(() => socket.terminate());
    const [frame] = await new Promise<[Buffer]>((resolve, reject) => {
      socket.once('message', (data: Buffer) => resolve([data])).once('error', reject);
    });
    expect(JSON.parse(frame.toString())).toMatchObject({ event: 'pusher:connection_established' });
  });
});
