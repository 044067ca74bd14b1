/** The Debian package: built from the npm tarballs, installed into a folder, run, and removed. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { newFolder } from '../helpers/folder.ts';
import { startDeployed, writeConfig } from './deployed-broker.ts';
import { hasProgram, ROOT } from './programs.ts';

const run = promisify(execFile);
const SLOW_MS = 300_000;

describe.skipIf(!hasProgram('dpkg-deb'))('the Debian package', () => {
  test('is installed, runs, and is gone after a purge', { timeout: SLOW_MS }, async () => {
    const out = newFolder();
    const { stdout } = await run(`${ROOT}deploy/debian/build.sh`, [join(out, 'packages')]);
    const deb = stdout.trimEnd().split('\n').at(-1)!;
    const { version } = JSON.parse(readFileSync(`${ROOT}server/package.json`, 'utf8'));
    expect(deb).toMatch(new RegExp(`^${out}/packages/countersign_${version}_\\w+\\.deb$`));

    const system = newFolder();
    mkdirSync(join(system, 'var/lib/dpkg'), { recursive: true });
    writeFileSync(join(system, 'var/lib/dpkg/status'), '');
    // A folder has no users, and none of the packages that this one depends on.
    const flags = ['--force-not-root', '--force-depends', '--force-script-chrootless', '--log=/dev/null'];
    const dpkg = (...args: string[]) => run('dpkg', [`--root=${system}`, ...flags, ...args]);
    await dpkg('--install', deb);

    const command = join(system, 'usr/bin/countersign');
    expect((await run(command, ['--version'])).stdout).toBe(`${version}\n`);
    expect(statSync(join(system, 'etc/countersign')).mode & 0o777).toBe(0o750);
    const unit = readFileSync(join(system, 'usr/lib/systemd/system/countersign.service'), 'utf8');
    expect(unit).toContain('\nExecStart=/usr/bin/countersign start ');

    const perPort = readFileSync(join(system, 'usr/lib/systemd/system/countersign@.service'), 'utf8');
    expect(perPort).toMatch(/\nExecStart=.* --port %i\n/);
    expect(perPort).not.toMatch(/COUNTERSIGN_DATA|StateDirectory/);
    if (hasProgram('systemd-analyze')) {
      const copy = join(newFolder(), 'countersign@.service');
      writeFileSync(copy, perPort.replace('/usr/bin/countersign', process.execPath));
      expect((await run('systemd-analyze', ['verify', '--man=no', copy])).stderr).toBe('');
    }

    const config = writeConfig(join(system, 'etc/countersign'));
    const env = { COUNTERSIGN_DATA: join(system, 'var/lib/countersign') };
    const broker = await startDeployed(command, ['start', '--config', config], { env, cwd: system });
    expect((await fetch(`${broker.url}/ready`)).status).toBe(200);
    expect(await broker.stop()).toBe(0);

    await dpkg('--purge', 'countersign');
    for (const path of [
      'usr/bin/countersign',
      'usr/lib/countersign',
      'etc/countersign',
      'var/lib/countersign',
    ]) {
      expect(existsSync(join(system, path)), path).toBe(false);
    }
  });

  test('needs the folder in which to put it', async () => {
    const built = run(`${ROOT}deploy/debian/build.sh`, []);
    await expect(built).rejects.toMatchObject({ code: 2, stderr: 'Usage: build.sh OUT_DIR\n' });
  });
});
