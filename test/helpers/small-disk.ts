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

/** A new file on a disk of its own, while what is made beside it is not; `undefined` where none can be mounted. */
export function fileOnDisk(file: string, bytes: number): { grow(bytes: number): void } | undefined {
  const disk = newFolder();
  const mount = (...args: readonly string[]) => execFileSync('mount', args, { stdio: 'ignore' });
  try {
    mount('-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', disk);
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', disk]));
  for (const each of [file, join(disk, 'file')]) writeFileSync(each, '');
  mount('--bind', join(disk, 'file'), file);
  onTestFinished(() => void execFileSync('umount', ['-l', file]));
  return { grow: (size) => void mount('-o', `remount,size=${size}`, disk) };
}
