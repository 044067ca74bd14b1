/** Opens what NaCl's secretbox has sealed. The build puts the cipher itself into this file. */
import { crypto_secretbox_open as openBox } from 'tweetnacl/nacl.js';

const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const TAG_BYTES = 16;

/** The key that the app's endpoint answers as `shared_secret`; `undefined` if that is not base64 of 32 bytes. */
export function readKey(sharedSecret: unknown): Uint8Array | undefined {
  const key = fromBase64(sharedSecret);
  return key?.length === KEY_BYTES ? key : undefined;
}

/** The text that was sealed in an event's data: null if by another key, `undefined` if nothing is sealed in it. */
export function open(sealed: Readonly<Record<string, unknown>>, key: Uint8Array): string | null | undefined {
  const nonce = fromBase64(sealed['nonce']);
  const box = fromBase64(sealed['ciphertext']);
  if (nonce?.length !== NONCE_BYTES || !box || box.length < TAG_BYTES) return undefined;
  // NaCl wants as many zeros before the box, and leaves twice as many before the text.
  const padded = new Uint8Array(TAG_BYTES + box.length);
  padded.set(box, TAG_BYTES);
  const opened = new Uint8Array(padded.length);
  if (openBox(opened, padded, padded.length, nonce, key)) return null;
  return textOf(opened.subarray(2 * TAG_BYTES));
}

// `atob` and `TextDecoder` are not everywhere, so both are done here.

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

/** The six bits of a base64 digit: capitals, small letters, figures, `+`, `/`. */
function sixBitsOf(code: number): number {
  if (code > 96) return code - 71;
  if (code > 64) return code - 65;
  if (code > 47) return code + 4;
  return code === 43 ? 62 : 63;
}

/** UTF-8, or `undefined`. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decodeURIComponent(Array.from(bytes, (byte) => `%${(byte + 256).toString(16).slice(1)}`).join(''));
  } catch {
    return undefined;
  }
}
