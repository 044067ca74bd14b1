/**
 * Encrypted channels, for those who import them: `new Countersign(key, { encryption, … })`.
 *
 * The build puts the cipher into this file, so that it also loads in a page without a bundler.
 */
import nacl from 'tweetnacl/nacl.min.js';
import type { Encryption } from './encrypted-channel.ts';
import { asObject } from './protocol.ts';

/** Opens events of `private-encrypted-` channels (NaCl secretbox). */
export const encryption: Encryption = {
  readKey(sharedSecret) {
    const key = fromBase64(sharedSecret);
    return key?.length === nacl.secretbox.keyLength ? key : undefined;
  },

  open(data, key) {
    const sealed = asObject(data);
    const nonce = fromBase64(sealed?.['nonce']);
    const box = fromBase64(sealed?.['ciphertext']);
    if (nonce?.length !== nacl.secretbox.nonceLength || !box || box.length < nacl.secretbox.overheadLength) {
      return undefined;
    }
    const bytes = nacl.secretbox.open(box, nonce, key);
    return bytes && new TextDecoder().decode(bytes);
  },
};

export type { Encryption };

function fromBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
