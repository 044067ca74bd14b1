/** Reads the certificates and keys in PEM files that settings name, and checks that they belong together. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '../config/error.ts';
import { fileProblem } from '../config/file-problem.ts';

/** The section of the configuration that names the files. */
export type TlsSection = 'tls' | 'redis.tls';

/** The names of the files. */
export interface PemFiles {
  /** The authorities that may have signed the certificate of the other end. */
  readonly ca?: string | undefined;
  /** The certificate chain of this end. */
  readonly cert?: string | undefined;
  /** The private key of that certificate. */
  readonly key?: string | undefined;
}

/** The contents of the files. */
export interface Pem {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  /** When the certificate ends, in Unix milliseconds. */
  readonly expiresAt: number | undefined;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/** @throws ConfigError that names the setting and the file of what cannot be used */
export async function readPem(section: TlsSection, files: PemFiles): Promise<Pem> {
  // One after the other, so that the same one of several mistakes is always reported.
  const ca = await read(`${section}.ca`, files.ca);
  const cert = await read(`${section}.cert`, files.cert);
  const key = await read(`${section}.key`, files.key);
  if (ca && files.ca !== undefined) readCertificates(`${section}.ca`, files.ca, ca);
  if (!cert || !key || files.cert === undefined || files.key === undefined) {
    return { ca, cert, key, expiresAt: undefined };
  }
  const own = readCertificates(`${section}.cert`, files.cert, cert);
  const privateKey = readKey(`${section}.key`, files.key, key);
  if (!own.checkPrivateKey(privateKey)) {
    throw wrong(`${section}.key`, files.key, `the private key of the certificate in ${files.cert}`);
  }
  try {
    createSecureContext({ cert, key, ...(ca && { ca }) });
  } catch (error) {
    throw wrong(`${section}.cert`, files.cert, `a certificate that OpenSSL takes (${messageOf(error)})`);
  }
  return { ca, cert, key, expiresAt: Date.parse(own.validTo) };
}

async function read(setting: string, file: string | undefined): Promise<Buffer | undefined> {
  try {
    return file === undefined ? undefined : await readFile(file);
  } catch (error) {
    throw new ConfigError(undefined, [`${setting}: got ${JSON.stringify(file)}, but ${fileProblem(error)}`], {
      cause: error,
    });
  }
}

/** @returns the first certificate, which is that of this end */
function readCertificates(setting: string, file: string, pem: Buffer): X509Certificate {
  const [first, ...others] = pem.toString('latin1').match(CERTIFICATE) ?? [];
  if (first === undefined) throw wrong(setting, file, 'a certificate in PEM format');
  try {
    for (const other of others) new X509Certificate(other);
    return new X509Certificate(first);
  } catch (error) {
    throw wrong(setting, file, `certificates in PEM format (${messageOf(error)})`);
  }
}

function readKey(setting: string, file: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw wrong(setting, file, `a private key in PEM format, without a passphrase (${messageOf(error)})`);
  }
}

function wrong(setting: string, file: string, expected: string): ConfigError {
  return new ConfigError(undefined, [`${setting}: got ${JSON.stringify(file)}, expected ${expected}`]);
}

/** Messages of OpenSSL name what it did not find, and quote no content. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
