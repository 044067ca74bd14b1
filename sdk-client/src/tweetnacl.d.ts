/** As the build makes a module of it. */
declare module 'tweetnacl/nacl.js' {
  /** NaCl's own: 0 if the box was opened by this key. */
  export function crypto_secretbox_open(
    opened: Uint8Array,
    box: Uint8Array,
    length: number,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}
