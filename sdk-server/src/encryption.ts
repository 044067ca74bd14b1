/** End-to-end encryption: the broker knows neither the keys nor the plaintext. */
import { createHash, randomBytes } from 'node:crypto';
import nacl from 'tweetnacl';
import { ArgumentError } from './errors.ts';

const PREFIX = 'private-encrypted-';

/** Whether the events of a channel are encrypted, by its name. */
export function isEncrypted(channel: string): boolean {
  return channel.startsWith(PREFIX);
}

/** @throws ArgumentError `no_master_key` */
export function requireMasterKey(masterKey: Uint8Array | undefined): Uint8Array {
  if (masterKey) return masterKey;
  throw new ArgumentError('no_master_key', 'Encrypted channels need the option encryptionMasterKeyBase64');
}

/** Derives the key of one channel, 32 bytes, which only subscribers receive from the app's backend. */
export function sharedSecret(masterKey: Uint8Array, channel: string): Buffer {
  return createHash('sha256').update(channel).update(masterKey).digest();
}

/** Encrypts event data for one encrypted channel. */
export function seal(masterKey: Uint8Array, channel: string, plaintext: string): string {
  const nonce = randomBytes(nacl.secretbox.nonceLength);
  // Copies, because the cipher requires Uint8Array instances of this realm, which Node's buffers may not be.
  const [message, unique, key] = [Buffer.from(plaintext), nonce, sharedSecret(masterKey, channel)].map(
    (bytes) => Uint8Array.from(bytes),
  );
  const box = nacl.secretbox(message!, unique!, key!);
  return JSON.stringify({
    nonce: nonce.toString('base64'),
    ciphertext: Buffer.from(box).toString('base64'),
  });
}
