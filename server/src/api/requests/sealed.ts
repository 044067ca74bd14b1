import { z } from 'zod';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const sealedSchema = z.object({ nonce: z.string().regex(BASE64), ciphertext: z.string().regex(BASE64) });

const NONCE_BYTES = 24;
/** The authentication tag, in front of a ciphertext that may be empty. */
const TAG_BYTES = 16;

/** Whether data looks encrypted, so that nothing is sent in the clear by mistake. What is inside cannot be read here. */
export function isSealed(data: string): boolean {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return false;
  }
  const { success, data: sealed } = sealedSchema.safeParse(value);
  return (
    success &&
    Buffer.byteLength(sealed.nonce, 'base64') === NONCE_BYTES &&
    Buffer.byteLength(sealed.ciphertext, 'base64') >= TAG_BYTES
  );
}
