import { randomInt } from 'node:crypto';

/** Creates a socket id that nobody can guess: it alone binds a signature to one connection. */
export function randomSocketId(): string {
  return `${randomInt(1, 2 ** 47)}.${randomInt(1, 2 ** 47)}`;
}
