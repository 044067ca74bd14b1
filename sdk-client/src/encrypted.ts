/**
 * Encrypted channels, for those who import them: `new Countersign(key, { encryption, … })`.
 *
 * The build puts the cipher into this file, so that it also loads in a page without a bundler.
 */
import nacl from 'tweetnacl/nacl.min.js';
import { ChannelKeys, type Cipher } from './channel-keys.ts';
import type { Encryption } from './encrypted-channel.ts';

const { keyLength, nonceLength, overheadLength, open } = nacl.secretbox;

/** NaCl secretbox. */
const cipher: Cipher = {
  readKey(sharedSecret) {
    const key = fromBase64(sharedSecret);
    return key?.length === keyLength ? key : undefined;
  },

  open(sealed, key) {
    const nonce = fromBase64(sealed['nonce']);
    const box = fromBase64(sealed['ciphertext']);
    if (nonce?.length !== nonceLength || !box || box.length < overheadLength) return undefined;
    const bytes = open(box, nonce, key);
    return bytes && new TextDecoder().decode(bytes);
  },
};

/** Opens events of `private-encrypted-` channels (NaCl secretbox). */
export const encryption: Encryption = { createKeyRing: () => new ChannelKeys(cipher) };

export type { Encryption };

function fromBase64(text: unknown): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(String(text)), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
