import { createSecretKey, type KeyObject } from 'node:crypto';

/** A key of an app. A new secret makes a new key with the same name, and signatures of the old one are not valid any more. */
export class AppKey {
  readonly secret: KeyObject;

  constructor(
    readonly name: string,
    secret: string,
  ) {
    this.secret = createSecretKey(secret, 'utf8');
  }

  equals({ name, secret }: AppKey): boolean {
    return this.name === name && this.secret.equals(secret);
  }
}
