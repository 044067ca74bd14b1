import { createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { verifyLog } from '../audit/verify.ts';
import { SIGNING_KEY_FILE } from '../data/signing-key.ts';
import { UsageError } from './usage-error.ts';
import { CommandError } from './webhooks-command.ts';

/**
 * Runs `countersign audit verify DIR`.
 *
 * @returns what was verified
 * @throws UsageError, or a CommandError that names the first line that does not follow
 */
export async function runAuditCommand(args: readonly string[]): Promise<string> {
  const { directory, keyFile } = parse(args);
  const own = join(directory, SIGNING_KEY_FILE);
  const publicKey = readKey(keyFile ?? (existsSync(own) ? own : undefined));
  const { records, hasSignedCheckpoint, fault } = await verifyLog(directory, publicKey);
  if (fault !== undefined) throw new CommandError(fault);
  const signature = hasSignedCheckpoint
    ? 'the signature of the checkpoint is valid'
    : 'no signature was checked: there is no checkpoint, or no key in the directory and no --key';
  return `${records} records follow one another; ${signature}\n`;
}

function parse(args: readonly string[]): {
  readonly directory: string;
  readonly keyFile: string | undefined;
} {
  try {
    const options = { key: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [verb, directory, ...others] = positionals;
    if (verb !== 'verify' || directory === undefined || others.length > 0) {
      throw new UsageError('countersign audit needs: verify DIR');
    }
    return { directory, keyFile: values.key };
  } catch (error) {
    throw error instanceof UsageError
      ? error
      : new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @param file a private or public key in PEM format */
function readKey(file: string | undefined): KeyObject | undefined {
  if (file === undefined) return undefined;
  const pem = readFileSync(file);
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // What OpenSSL says of it helps nobody who expects a key of this form.
  }
  throw new CommandError(`${file} holds no Ed25519 key in PEM format`);
}
