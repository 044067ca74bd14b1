import { randomInt } from 'node:crypto';

/** A socket id that nobody can guess: it is all that binds a signature to one connection. */
export function randomSocketId(): string {
  return `${randomInt(1, 2 ** 47)}.${randomInt(1, 2 ** 47)}`;
}
