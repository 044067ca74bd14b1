/** End-to-end encryption: the broker sees neither the keys of this file nor what they seal. */
import { createHash, randomBytes } from 'node:crypto';
import nacl from 'tweetnacl';
import { ArgumentError } from './errors.ts';

const PREFIX = 'private-encrypted-';

/** Whether the events of a channel are encrypted, which its name decides. */
export function isEncrypted(channel: string): boolean {
  return channel.startsWith(PREFIX);
}

/** @throws ArgumentError `no_master_key` */
export function requireMasterKey(masterKey: Uint8Array | undefined): Uint8Array {
  if (masterKey) return masterKey;
  throw new ArgumentError('no_master_key', 'Encrypted channels need the option encryptionMasterKeyBase64');
}

/** The key of one channel, 32 bytes, which its subscribers receive from the application and nobody else. */
export function sharedSecret(masterKey: Uint8Array, channel: string): Buffer {
  return createHash('sha256').update(channel).update(masterKey).digest();
}

/** The event data that carries `plaintext` to the subscribers of one encrypted channel. */
export function seal(masterKey: Uint8Array, channel: string, plaintext: string): string {
  const nonce = randomBytes(nacl.secretbox.nonceLength);
  // Copies, for the cipher wants instances of this realm's Uint8Array, which the buffers of Node need not be.
  const [message, unique, key] = [Buffer.from(plaintext), nonce, sharedSecret(masterKey, channel)].map(
    (bytes) => Uint8Array.from(bytes),
  );
  const box = nacl.secretbox(message!, unique!, key!);
  return JSON.stringify({
    nonce: nonce.toString('base64'),
    ciphertext: Buffer.from(box).toString('base64'),
  });
}
