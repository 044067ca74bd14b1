import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { newFolder } from './folder.ts';

/** A disk of 16 megabytes, so that the log of the database fits once it is free again; `undefined` where none can be mounted. */
export function smallDisk(): { folder: string; fill(): void; free(): void } | undefined {
  const folder = newFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  const junk = join(folder, 'junk');
  return {
    folder,
    fill() {
      mkdirSync(junk);
      try {
        for (let n = 0; ; n += 1) writeFileSync(join(junk, String(n)), Buffer.alloc(4096));
      } catch {
        // It is full.
      }
    },
    free: () => rmSync(junk, { recursive: true }),
  };
}
