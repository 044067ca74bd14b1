import type { ErrorCode } from '../error-codes.ts';

/** The broker refuses a token. */
export class TokenRefusal extends Error {
  override readonly name = 'TokenRefusal';

  /** @param message tells the developer what to change; the token is not in it */
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}
