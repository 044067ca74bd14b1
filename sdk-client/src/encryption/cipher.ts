/** Decrypts boxes of NaCl's secretbox. The build bundles the cipher into this file. */
import { crypto_secretbox_open as openBox } from 'tweetnacl/nacl.js';

const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const TAG_BYTES = 16;

/** Decodes `shared_secret`; `undefined` if it is not base64 of 32 bytes. */
export function readKey(sharedSecret: unknown): Uint8Array | undefined {
  const key = fromBase64(sharedSecret);
  return key?.length === KEY_BYTES ? key : undefined;
}

/** Returns the decrypted text; null if another key encrypted it, `undefined` if the data is not encrypted. */
export function open(sealed: Readonly<Record<string, unknown>>, key: Uint8Array): string | null | undefined {
  const nonce = fromBase64(sealed['nonce']);
  const box = fromBase64(sealed['ciphertext']);
  if (nonce?.length !== NONCE_BYTES || !box || box.length < TAG_BYTES) return undefined;
  // NaCl expects TAG_BYTES zeros before the box and leaves twice as many before the text.
  const padded = new Uint8Array(TAG_BYTES + box.length);
  padded.set(box, TAG_BYTES);
  const opened = new Uint8Array(padded.length);
  if (openBox(opened, padded, padded.length, nonce, key)) return null;
  return textOf(opened.subarray(2 * TAG_BYTES));
}

// Not every platform has `atob` and `TextDecoder`.

function fromBase64(text: unknown): Uint8Array | undefined {
  const [, digits] = /^([A-Za-z\d+/]*)={0,2}$/.exec(String(text)) ?? [];
  if (digits === undefined) return undefined;
  const bytes: number[] = [];
  let bits = 0;
  for (const [index, digit] of [...digits].entries()) {
    bits = ((bits << 6) | sixBitsOf(digit.charCodeAt(0))) & 0xffff;
    if (index % 4) bytes.push((bits >> (6 - 2 * (index % 4))) & 0xff);
  }
  return Uint8Array.from(bytes);
}

/** The value of a base64 digit, by its character code. */
function sixBitsOf(code: number): number {
  if (code > 96) return code - 71;
  if (code > 64) return code - 65;
  if (code > 47) return code + 4;
  return code === 43 ? 62 : 63;
}

/** Decodes UTF-8; `undefined` if the bytes are not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decodeURIComponent(Array.from(bytes, (byte) => `%${(byte + 256).toString(16).slice(1)}`).join(''));
  } catch {
    return undefined;
  }
}
