/** What a developer can do about an error: the sentences of the warnings. */
import type { ConnectionError } from './connection/connection.ts';

/** The fields by which advice is found. */
export interface Failure {
  readonly code?: string | undefined;
  readonly status: number;
  readonly message: string;
  readonly url?: string | undefined;
}

const BY_STATUS: Readonly<Record<number, string>> = {
  401: 'Is somebody signed in to the app, and does the request carry the cookie or header that says so?',
  403: 'The app decided so: see its canAccess.',
  404: 'Mount authRouter there, or set the option "endpoint" to where it is.',
  405: 'The endpoint must accept POST.',
  415: 'The endpoint must accept forms (application/x-www-form-urlencoded).',
};

const BY_CODE: Readonly<Record<string, string>> = {
  endpoint_redirected:
    'Most likely it leads to a login page: is somebody signed in? Let the endpoint answer 401 in place of a redirect.',
  endpoint_invalid:
    'The endpoint must answer what authRouter answers: JSON such as {"auth":"KEY:SIGNATURE"}.',
  member_missing: 'authRouter adds it; another backend must sign "channel_data" and return the same text.',
  key_invalid: 'Set encryptionMasterKeyBase64 in the backend.',
  timeout: 'The endpoint or the broker is too slow, see the option requestTimeout.',
};

const WRONG_SIGNATURE =
  'The backend signed with another secret, or another text. The Events of the broker\'s console say which; with "explainRefusals" this warning does.';

/** Advice for a subscription or sign-in that failed. */
export function adviceFor({ code = '', status, message, url }: Failure): string {
  const { origin } = globalThis.location ?? {};
  const isElsewhere = origin !== undefined && url !== undefined && !isOf(origin, url);
  if (code === 'endpoint_unreachable')
    return isElsewhere
      ? `It is on another origin than this page: its answers need Access-Control-Allow-Origin: ${origin} and, for cookies, Access-Control-Allow-Credentials: true. With authRouter: origins: ['${origin}'].`
      : 'Does the backend run there?';
  if (code === 'endpoint_refused') {
    if (status >= 500) return 'The log of the app has the reason.';
    const cookies =
      status === 401 && isElsewhere
        ? " Another origin gets cookies only with the option credentials: 'include'."
        : '';
    return (BY_STATUS[status] ?? '') + cookies;
  }
  if (message === 'Invalid signature') return WRONG_SIGNATURE;
  return BY_CODE[code] ?? '';
}

const BY_CLOSE_CODE: Readonly<Record<number, string>> = {
  4001: 'Compare the key with "keys" in the broker\'s configuration.',
  4003: 'Set "enabled" of the app at the broker.',
  4004: 'Raise limits.connections of the app at the broker.',
  4005: 'Set the option "path" to the broker\'s pathPrefix.',
};

/** Advice for a connection that failed or was closed. */
export function connectionAdvice({ data: { code, message }, url }: ConnectionError): string {
  const isTLS = url.startsWith('wss:');
  if (code === 4000)
    return isTLS
      ? 'A proxy ends TLS: the broker must have its address in "trustProxy", and the proxy must send X-Forwarded-Proto: https.'
      : 'Remove forceTLS: false.';
  if (message.includes('allowedOrigins'))
    return `Add ${globalThis.location?.origin ?? 'it'} to "allowedOrigins" of the app.`;
  if (code !== null) return BY_CLOSE_CODE[code] ?? '';
  const tls = isTLS
    ? globalThis.location?.protocol === 'https:'
      ? ' This page came over https, so the browser allows wss alone: the port must speak TLS.'
      : ' If the port does not speak TLS, set forceTLS: false.'
    : '';
  return `Does the broker run there (host, port, path)? A proxy between must pass on the headers Upgrade and Connection.${tls}`;
}

function isOf(origin: string, url: string): boolean {
  try {
    return new URL(url, globalThis.location.href).origin === origin;
  } catch {
    return true;
  }
}
