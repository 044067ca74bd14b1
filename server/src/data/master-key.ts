/** The key under which the app store seals what it keeps, in the data directory. */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMasterKey } from '../config/admin.ts';
import { ConfigError } from '../config/error.ts';
import { fileProblem } from '../config/file-problem.ts';

const FILE = 'master.key';
const OWNER_ONLY = 0o600;

/**
 * Reads the key.
 *
 * @returns `undefined` if there is none
 * @throws ConfigError if it cannot be read
 */
export function findMasterKey(data: string): Buffer | undefined {
  const file = join(data, FILE);
  let text: string;
  try {
    chmodSync(file, OWNER_ONLY);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw unusable(file, fileProblem(error), error);
  }
  const key = readMasterKey(text.trim());
  if (!key) throw unusable(file, 'it does not hold 32 bytes in base64');
  return key;
}

/**
 * Makes a key if there is none.
 *
 * @throws ConfigError if it cannot be written
 */
export function makeMasterKey(data: string): Buffer {
  const file = join(data, FILE);
  const key = randomBytes(32);
  // Under another name first, so that a process that ends meanwhile leaves no half of a key behind.
  const unfinished = `${file}.new`;
  try {
    const descriptor = openSync(unfinished, 'w', OWNER_ONLY);
    writeFileSync(descriptor, `${key.toString('base64')}\n`);
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(unfinished, file);
  } catch (error) {
    throw unusable(file, fileProblem(error), error);
  }
  return key;
}

function unusable(file: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError(undefined, [`admin.masterKey: ${JSON.stringify(file)} cannot be used: ${why}`], {
    cause,
  });
}
