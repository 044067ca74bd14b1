import { randomInt } from 'node:crypto';

/** Creates a socket id that cannot be guessed: it alone binds a signature to one connection. */
export function randomSocketId(): string {
  // A template would keep its parts beside the text that is made of them, for as long as the connection lives.
  return [randomInt(1, 2 ** 47), randomInt(1, 2 ** 47)].join('.');
}
