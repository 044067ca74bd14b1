import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A file with this text, or this value as JSON. It is gone when the test ends. */
export async function fileWith(content: unknown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'countersign.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}
