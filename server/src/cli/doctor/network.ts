/** The way to the broker: its name, its certificate, whether it answers, and its clock. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { isLoopback } from '../../config/loopback.ts';
import { ANSWER_MS, below, ok, reasonOf, type Step, skipped, type Target, wrong } from './examination.ts';

const DAY_MS = 86_400_000;
/** Days before its end from which on a certificate is to be renewed. */
const RENEW_DAYS = 14;
/** Seconds by which clocks may differ: signed requests are refused from 600 on. */
const MAX_SKEW_SECONDS = 60;

const OWN_AUTHORITY =
  'It is of an authority that clients do not know: get one of a public authority, or name yours in NODE_EXTRA_CA_CERTS';
/** What helps against a certificate that is not accepted, by the code of OpenSSL or node; what is missing is the chain. */
const CURES: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'It has ended: renew it; the broker takes a new file over by itself'],
  ['CERT_NOT_YET_VALID', 'It begins later: set the clocks by NTP, or serve the one that is valid now'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'It is for another name: get one that has this name'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', OWN_AUTHORITY],
  ['SELF_SIGNED_CERT_IN_CHAIN', OWN_AUTHORITY],
]);

const hostOf = ({ url }: Target) => url.hostname.replace(/^\[|\]$/g, '');

export const dns: Step = {
  name: 'dns',
  needs: [],
  async examine(target) {
    const host = hostOf(target);
    if (isIP(host) !== 0) return ok(`${host} is an address`);
    try {
      const found = await lookup(host, { all: true });
      return ok(`${host} is ${found.map(({ address }) => address).join(', ')}`);
    } catch (error) {
      return wrong(
        `${host} is not known: ${reasonOf(error)}`,
        'Add a record for the name to your DNS, or correct the address',
        'deploy.md#behind-a-proxy',
      );
    }
  },
};

export const tls: Step = {
  name: 'tls',
  needs: ['dns'],
  async examine(target) {
    const { url } = target;
    const host = hostOf(target);
    if (url.protocol === 'http:') {
      if (host === 'localhost' || isLoopback(host)) return skipped('plain HTTP, within this machine');
      return wrong(
        'plain HTTP: everybody on the way can read along',
        'Serve it over TLS, by the broker or by a proxy',
        'deploy.md#behind-a-proxy',
      );
    }
    try {
      const { certificate, fault } = await certificateOf(host, Number(url.port || 443));
      const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY_MS);
      if (fault !== undefined) {
        return wrong(
          `the certificate is not accepted: ${fault}`,
          CURES.get(fault) ??
            'Serve the whole chain, from the certificate of this name to one that clients know',
          'operations.md#certificates',
        );
      }
      if (days < RENEW_DAYS) {
        return wrong(
          `the certificate ends in ${days} days`,
          'Renew it; the broker takes a new file over by itself',
          'operations.md#certificates',
        );
      }
      return ok(`the certificate of ${certificate.subject.CN ?? host} is valid for ${days} days`);
    } catch (error) {
      return wrong(
        `no TLS: ${reasonOf(error)}`,
        'Check that the port speaks TLS, and that nothing blocks it',
        'deploy.md#behind-a-proxy',
      );
    }
  },
};

export const ready: Step = {
  name: 'ready',
  needs: ['dns', 'tls'],
  async examine(target) {
    let response: Response;
    try {
      response = await fetch(below(target, '/ready'), { signal: AbortSignal.timeout(ANSWER_MS) });
    } catch (error) {
      return wrong(
        `nobody answers: ${reasonOf(error)}`,
        'Start the broker, and open the way to its port',
        'operations.md#health-and-readiness',
      );
    }
    const body: unknown = await response.json().catch(() => undefined);
    const { status, reason } = (body ?? {}) as { readonly status?: unknown; readonly reason?: unknown };
    if (typeof status !== 'string') {
      return wrong(
        `something else than the broker answers with ${response.status}`,
        'Pass all paths of the broker on, with its path prefix',
        'deploy.md#behind-a-proxy',
      );
    }
    if (status === 'ready') return ok('the broker is ready');
    return wrong(
      `the broker is ${status}${typeof reason === 'string' ? `: ${reason}` : ''}`,
      'Its log says why',
      'operations.md#health-and-readiness',
    );
  },
};

export const pathPrefix: Step = {
  name: 'path_prefix',
  needs: ['dns', 'tls'],
  async examine(target) {
    const prefix = target.url.pathname.replace(/\/+$/, '');
    const answers = async (path: string) => {
      const response = await fetch(new URL(path, target.url), { signal: AbortSignal.timeout(ANSWER_MS) });
      const body: unknown = await response.json().catch(() => undefined);
      return typeof (body as { readonly status?: unknown } | undefined)?.status === 'string';
    };
    try {
      if (await answers(`${prefix}/ready`))
        return ok(prefix === '' ? 'there is no path prefix' : `the path prefix is ${prefix}`);
      if (prefix !== '' && (await answers('/ready'))) {
        return wrong(
          `the broker answers at /, and not at ${prefix}`,
          `Set "pathPrefix" to "${prefix}", or leave the path out of the address`,
          'configuration.md#every-setting',
        );
      }
      return skipped('the broker does not answer');
    } catch {
      return skipped('the broker does not answer');
    }
  },
};

export const clock: Step = {
  name: 'clock',
  needs: ['ready'],
  async examine(target) {
    const response = await fetch(below(target, '/ready'), { signal: AbortSignal.timeout(ANSWER_MS) });
    const at = Date.parse(response.headers.get('date') ?? '');
    if (Number.isNaN(at)) return skipped('the answer has no Date');
    const seconds = Math.round((at - Date.now()) / 1000);
    if (Math.abs(seconds) <= MAX_SKEW_SECONDS) return ok(`the clocks differ by ${Math.abs(seconds)} s`);
    return wrong(
      `the clock of the broker is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the one here`,
      'Set both by NTP: signed requests are refused from 600 s on',
      'errors.md#invalid_timestamp',
    );
  },
};

function certificateOf(
  host: string,
  port: number,
): Promise<{ readonly certificate: PeerCertificate; readonly fault: string | undefined }> {
  return new Promise((resolve, reject) => {
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket: TLSSocket = connect({ host, port, ...servername, rejectUnauthorized: false }, () => {
      const { authorized, authorizationError } = socket;
      const fault = authorized ? undefined : String(authorizationError ?? 'unknown');
      resolve({ certificate: socket.getPeerCertificate(), fault });
      socket.destroy();
    });
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
  });
}
