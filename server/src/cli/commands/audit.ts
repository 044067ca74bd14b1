/** `countersign audit`: finds records, and checks that an audit log is complete and unchanged. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { verifyLog } from '../../audit/verify.ts';
import { SIGNING_KEY_FILE } from '../../data/signing-key.ts';
import { CommandError } from '../failure.ts';
import { print, printJson } from '../output.ts';
import { addAuditSearch } from './app/audit-search.ts';

interface Options {
  readonly key?: string;
  readonly json?: boolean;
}

export function addAudit(program: Command): void {
  const audit = program
    .command('audit')
    .description('Search an audit log, and check it.')
    .addHelpText('after', '\nExample:\n  $ countersign audit search --user 42');
  addAuditSearch(audit);
  audit
    .command('verify')
    .description('Check that it is complete and unchanged; exit code 1 names the first line that is not.')
    .argument('<dir>', 'data directory')
    .option('--key <file>', 'key that signed checkpoints; else that of the directory')
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExample:\n  $ countersign audit verify /var/lib/countersign')
    .action(verify);
}

async function verify(directory: string, { key, json }: Options): Promise<void> {
  const own = join(directory, SIGNING_KEY_FILE);
  const publicKey = readKey(key ?? (existsSync(own) ? own : undefined));
  const { records, hasSignedCheckpoint, fault } = await verifyLog(directory, publicKey);
  if (fault !== undefined) throw new CommandError(fault, 'audit_log_changed');
  if (json) return printJson({ ok: true, records, signed: hasSignedCheckpoint });
  const signature = hasSignedCheckpoint
    ? 'the signature of the checkpoint is valid'
    : 'no signature was checked: there is no checkpoint, or no key in the directory and no --key';
  print(`${records} records follow one another; ${signature}`);
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
