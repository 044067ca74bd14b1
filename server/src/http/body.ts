import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../errors.ts';

/** Bytes of the largest body: ten events of 10 KB fit even if every byte is written as `\u00XX`. */
export const MAX_BODY_BYTES = 1_048_576;

const EMPTY = Buffer.alloc(0);

/**
 * Reads the raw body.
 *
 * @param keep false reads it to its end as well, since many clients look for no answer before, and answers an empty one
 * @throws ApiError 413 if it is too large; what is left of it is not kept
 * @throws Error if the client goes away
 */
export function readBody(request: IncomingMessage, keep = true): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) {
        reject(new ApiError(413, `The body exceeds the allowed maximum (${MAX_BODY_BYTES} bytes)`));
      } else if (keep) chunks.push(chunk);
    });
    request.on('end', () => {
      const [first = EMPTY] = chunks;
      resolve(chunks.length > 1 ? Buffer.concat(chunks, size) : first);
    });
    request.on('error', reject);
  });
}

/**
 * Reads a body as JSON.
 *
 * @throws ApiError if it is anything but an object
 */
export function parseBody(body: Buffer): object {
  if (!isUtf8(body)) throw new ApiError(400, 'The body is not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new ApiError(
      400,
      `The body is not JSON: ${error instanceof Error ? error.message : 'cannot be read'}`,
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ApiError(400, 'The body must be a JSON object');
}
