import { createSecretKey, type KeyObject } from 'node:crypto';

/** A key of an app. One whose secret was replaced is another key under the same name: what the first one signed does not stand. */
export class AppKey {
  /** Ready to sign with. */
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
