/** The unit of systemd: valid, confined, and with more time to stop than the broker takes. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseConfig } from '@countersign/server';
import { expect, test } from 'vitest';
import { newFolder } from '../helpers/folder.ts';
import { hasProgram, ROOT } from './programs.ts';

const run = promisify(execFile);
const UNIT = `${ROOT}deploy/systemd/countersign.service`;
const text = readFileSync(UNIT, 'utf8');
const hasSystemd = hasProgram('systemd-analyze');

test('the unit has a user of its own, its directory, and descriptors for its clients', () => {
  for (const line of ['DynamicUser=yes', 'StateDirectory=countersign', 'RestartPreventExitStatus=2']) {
    expect(text).toContain(`\n${line}\n`);
  }
  expect(Number(/^LimitNOFILE=(\d+)$/m.exec(text)?.[1])).toBeGreaterThan(100_000);
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1])).toBeGreaterThan(
    parseConfig({}).drainTimeoutSeconds,
  );
});

test.skipIf(!hasSystemd)('systemd accepts the unit', async () => {
  const unit = join(newFolder(), 'countersign.service');
  // The command is not installed on this machine.
  writeFileSync(unit, text.replace('/usr/bin/countersign', process.execPath));
  expect(await run('systemd-analyze', ['verify', '--man=no', unit])).toMatchObject({
    stdout: '',
    stderr: '',
  });
});

test.skipIf(!hasSystemd)('systemd counts the unit among the well confined ones', async () => {
  await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', '--no-pager', UNIT]);
});
