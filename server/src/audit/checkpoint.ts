/** Signed checkpoints: the head of the chain as a signed note (C2SP), which anybody with the public key can verify. */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Head } from './record.ts';

/** The head of a chain at a time. */
export interface Checkpoint extends Head {
  readonly node: string;
  /** Unix milliseconds. */
  readonly at: number;
}

const KEY_NAME = 'countersign/audit';
/** The type of Ed25519 in signed notes. */
const ED25519 = 0x01;
const NOTE = /^(countersign\/audit\n(.+)\n(\d{1,16})\n([0-9a-f]{64})\n(\d{1,16})\n)\n((?:— \S+ \S+\n)+)$/;

/** @returns the note: the lines name, node, seq, hash and time, an empty line, and the signature */
export function writeCheckpoint({ node, seq, hash, at }: Checkpoint, privateKey: KeyObject): string {
  const text = `${KEY_NAME}\n${node}\n${seq}\n${hash}\n${at}\n`;
  const signature = sign(null, Buffer.from(text), privateKey);
  const encoded = Buffer.concat([keyIdOf(createPublicKey(privateKey)), signature]).toString('base64');
  return `${text}\n— ${KEY_NAME} ${encoded}\n`;
}

/**
 * Reads a note.
 *
 * @param publicKey without one the signature is not checked
 * @returns what is wrong with it if something is
 */
export function readCheckpoint(note: string, publicKey: KeyObject | undefined): Checkpoint | string {
  const [, text = '', node = '', seq, hash = '', at, signatures = ''] = NOTE.exec(note) ?? [];
  if (text === '') return 'it is no checkpoint';
  if (publicKey && !isSigned(text, signatures, publicKey)) return 'its signature is not that of the key';
  return { node, seq: Number(seq), hash, at: Number(at) };
}

function isSigned(text: string, signatures: string, publicKey: KeyObject): boolean {
  const id = keyIdOf(publicKey);
  return signatures
    .trimEnd()
    .split('\n')
    .some((line) => {
      const [, name, encoded = ''] = line.split(' ');
      const bytes = Buffer.from(encoded, 'base64');
      if (name !== KEY_NAME || !bytes.subarray(0, id.length).equals(id)) return false;
      return verify(null, Buffer.from(text), publicKey, bytes.subarray(id.length));
    });
}

function keyIdOf(publicKey: KeyObject): Buffer {
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const id = createHash('sha256').update(`${KEY_NAME}\n`);
  return id
    .update(Buffer.concat([Buffer.of(ED25519), Buffer.from(x, 'base64url')]))
    .digest()
    .subarray(0, 4);
}
