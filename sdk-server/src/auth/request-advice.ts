/** What a developer can do about a request that failed: the last sentences of the error's message. */
import { isRecord } from '../json.ts';

const BY_CODE: Readonly<Record<string, string>> = {
  invalid_signature: 'Most likely "secret" is not the secret of "key".',
  unknown_key: 'Compare "key" with the keys of the app at the broker.',
  key_revoked: 'Give "key" and "secret" of another key.',
  app_not_found: 'Compare "appId" with the ids of the apps at the broker.',
  upgrade_required: 'Compare the options host, port and path.',
};

/** Why the broker refused, in its own words, and what to do about it. @param now Unix milliseconds of this machine */
export function refusalText(body: string, now: () => number): string {
  const { error, code, server_time: brokerTime } = parsed(body);
  if (typeof error !== 'string' || typeof code !== 'string') return body;
  const advice =
    code === 'timestamp_expired' && typeof brokerTime === 'number'
      ? clockAdvice(now() / 1000 - brokerTime)
      : (BY_CODE[code] ?? '');
  return [`${error}.`, advice, `See docs/errors.md#${code}`].filter(Boolean).join(' ');
}

/** Why no answer came, and what to do about it. @param cause what `fetch` threw */
export function failureText(origin: string, cause: unknown): string {
  const { code, message } = rootOf(cause);
  const reason = message ? `: ${message}. ` : '. ';
  return reason + failureAdvice(origin, code);
}

function failureAdvice(origin: string, code: string): string {
  const isTLS = origin.startsWith('https:');
  if (isTLS && /^(EPROTO|ERR_(SSL|TLS)_)|CERT|SIGNATURE/.test(code))
    return 'TLS with the broker failed; if the broker has no TLS, on a trusted network, set useTLS to false';
  if (/^(ENOTFOUND|EAI_AGAIN)$/.test(code))
    return 'No address is known for this name: compare the option host';
  if (!isTLS && /^(UND_ERR_SOCKET|ECONNRESET|HPE_INVALID_CONSTANT)$/.test(code))
    return `If the broker speaks TLS at ${origin.slice('http://'.length)}, set useTLS to true`;
  return `Does the broker run at ${origin}? Compare the options host and port`;
}

function clockAdvice(ahead: number): string {
  const seconds = Math.round(Math.abs(ahead));
  const amount = seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
  return `The clock of this machine is ${amount} ${ahead < 0 ? 'behind' : 'ahead of'} the broker's: set it by NTP.`;
}

/** What happened to the socket: `fetch` wraps it, and a host with several addresses has several. */
function rootOf(error: unknown): { readonly code: string; readonly message: string } {
  const { cause, errors, code = '', message = '' }: Record<string, unknown> = isRecord(error) ? error : {};
  if (cause !== undefined) return rootOf(cause);
  if (Array.isArray(errors) && errors.length > 0) return rootOf(errors[0]);
  // A `fetch` of the app's own may quote the URL with the signature.
  const isSafe = !String(message).includes('auth_signature');
  return { code: String(code), message: isSafe ? String(message) : '' };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
