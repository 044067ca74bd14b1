import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './redis.ts';

/** PEM files of a private authority, and of a certificate for 127.0.0.1 that it has signed. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Has openssl make an authority that nobody else knows, and the rest. */
export function makeCertificates(folder: string): Certificates {
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const life = ['-days', '2'];
  openssl('req', '-x509', ...newKey, ...life, '-subj', '/CN=Private', '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl('req', ...newKey, '-subj', '/CN=redis', '-keyout', 'key.pem', '-out', 'request.pem');
  writeFileSync(file('names'), 'subjectAltName = IP:127.0.0.1');
  const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
  const request = ['-in', 'request.pem', '-extfile', 'names'];
  openssl('x509', '-req', ...request, ...authority, ...life, '-out', 'cert.pem');
  return { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') };
}

/** Settings of a server that speaks TLS at a port beside its own one, to those who have a certificate of the authority. */
export async function tlsSettings({
  ca,
  cert,
  key,
}: Certificates): Promise<{ port: number; settings: string[] }> {
  const port = await freePort();
  const files = ['--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key];
  return { port, settings: ['--tls-port', String(port), ...files, '--tls-auth-clients', 'yes'] };
}
