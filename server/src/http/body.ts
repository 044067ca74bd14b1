import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../errors.ts';

/** Bytes of the largest body: ten events of 10 KB fit even if every byte is written as `\u00XX`. */
export const MAX_BODY_BYTES = 1_048_576;

const EMPTY = Buffer.alloc(0);

/**
 * Reads the raw body.
 *
 * @throws ApiError 413 if it is too large; the rest of it is not kept
 * @throws Error if the client goes away
 */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return receive(
    request,
    (chunk) => chunks.push(chunk),
    () => {
      const [first = EMPTY] = chunks;
      return chunks.length > 1 ? Buffer.concat(chunks) : first;
    },
  );
}

/**
 * Receives the raw body to its end and drops it: many clients do not read an answer before they have sent the whole body.
 *
 * @throws ApiError 413 if it is too large
 * @throws Error if the client goes away
 */
export function dropBody(request: IncomingMessage): Promise<void> {
  return receive(
    request,
    () => {},
    () => {},
  );
}

function receive<T>(request: IncomingMessage, onChunk: (chunk: Buffer) => void, finish: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    // One that has gone away already is told of by no event.
    if (request.destroyed) return reject(new Error('The client has gone away'));
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) onChunk(chunk);
      else
        reject(
          new ApiError(
            413,
            'body_too_large',
            `The body exceeds the allowed maximum (${MAX_BODY_BYTES} bytes)`,
          ),
        );
    });
    request.on('end', () => resolve(finish()));
    request.on('error', reject);
  });
}

/**
 * Reads a body as JSON.
 *
 * @throws ApiError unless it is an object
 */
export function parseBody(body: Buffer): object {
  if (!isUtf8(body)) throw new ApiError(400, 'invalid_body', 'The body is not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new ApiError(
      400,
      'invalid_body',
      `The body is not JSON: ${error instanceof Error ? error.message : 'cannot be read'}`,
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ApiError(400, 'invalid_body', 'The body must be a JSON object');
}
