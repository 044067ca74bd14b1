import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newFolder } from './folder.ts';

/** A disk on which what has to be certain takes its time, for a process that starts with this environment. */
export interface SlowDisk {
  readonly env: Readonly<Record<string, string>>;
  /** From now on nothing becomes certain. */
  hang(): void;
  recover(): void;
}

/** `undefined` where nothing compiles C. */
export function slowDisk(): SlowDisk | undefined {
  const folder = newFolder();
  const library = join(folder, 'slow-disk.so');
  const hangs = join(folder, 'hangs');
  const source = fileURLToPath(new URL('slow-disk.c', import.meta.url));
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return {
    env: { LD_PRELOAD: library, DISK_HANGS_WHILE: hangs },
    hang: () => writeFileSync(hangs, ''),
    recover: () => rmSync(hangs),
  };
}
