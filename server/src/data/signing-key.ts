/** The Ed25519 key by which the broker signs what anybody may verify. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../config/error.ts';
import { fileProblem } from '../config/file-problem.ts';

/** The public half, as a JSON Web Key. */
export interface PublicKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  /** The thumbprint of RFC 7638. */
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}

const SETTING = 'webhookSigningKey';
/** The name of the file in the data directory. */
export const SIGNING_KEY_FILE = 'signing-key.pem';
const OWNER_ONLY = 0o600;

export class SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: PublicKey;

  private constructor(privateKey: KeyObject) {
    this.privateKey = privateKey;
    const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
    const required = JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x });
    const kid = createHash('sha256').update(required).digest('base64url');
    this.publicKey = { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' };
  }

  /**
   * Reads the key of a file, or else the one in the data directory, which is made if it is missing.
   *
   * @returns `undefined` without both
   * @throws ConfigError if it cannot be read or made
   */
  static open(file: string | undefined, data: string | undefined): SigningKey | undefined {
    if (file !== undefined) return new SigningKey(read(file));
    if (data === undefined) return undefined;
    const own = join(data, SIGNING_KEY_FILE);
    try {
      chmodSync(own, OWNER_ONLY);
    } catch (error) {
      if (!isMissing(error)) throw unusable(own, error);
      make(own);
    }
    return new SigningKey(read(own));
  }
}

function read(file: string): KeyObject {
  let pem: Buffer;
  try {
    pem = readFileSync(file);
  } catch (error) {
    throw unusable(file, error);
  }
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The message of OpenSSL does not say which form is expected.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  const expected =
    'an Ed25519 private key in PKCS#8 PEM format without a passphrase, as openssl genpkey -algorithm ed25519 makes';
  throw new ConfigError(undefined, [`${SETTING}: got ${JSON.stringify(file)}, expected ${expected}`]);
}

/** Writes under another name first, so that a process that ends meanwhile leaves no half of a key behind. */
function make(file: string): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  const unfinished = `${file}.new`;
  try {
    const descriptor = openSync(unfinished, 'w', OWNER_ONLY);
    writeFileSync(descriptor, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(unfinished, file);
  } catch (error) {
    throw unusable(file, error);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function unusable(file: string, error: unknown): ConfigError {
  const reason = `${SETTING}: got ${JSON.stringify(file)}, but ${fileProblem(error)}`;
  return new ConfigError(undefined, [reason], { cause: error });
}
