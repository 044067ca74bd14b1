import { api } from './api.ts';
import type { Diagnosis } from './wire.ts';

/** One result of a probe. */
export interface Finding {
  readonly verdict: 'good' | 'bad' | 'note';
  readonly about: string;
  readonly text: string;
  readonly diagnosis?: Diagnosis;
}

/** The request that the probe sends to an endpoint. */
export interface Probe {
  readonly endpoint: string;
  readonly channel: string;
  readonly socketId: string;
  /** Value of the `Authorization` header; empty for none. */
  readonly authorization: string;
}

const TIMEOUT_MS = 10_000;
/** Milliseconds after which users notice the wait. */
const SLOW_MS = 500;

/** Sends a request to an auth endpoint as a page of this origin would, and yields what it finds. */
export async function* runProbe(probe: Probe): AsyncGenerator<Finding> {
  const start = performance.now();
  const response = await ask(probe, 'include').catch(() => undefined);
  const ms = Math.round(performance.now() - start);
  if (!response) return yield* explainSilence(probe);

  const isOtherOrigin = new URL(probe.endpoint, location.href).origin !== location.origin;
  yield good(
    'CORS',
    isOtherOrigin
      ? `Pages of ${location.origin} may send requests with cookies.`
      : 'Same origin: CORS does not apply.',
  );
  if (response.redirected)
    yield bad('Redirect', `The endpoint redirected to ${response.url}. Is that a login page?`);
  yield response.status === 200
    ? good('Status', '200')
    : bad('Status', `${response.status}: clients accept 200 only. ${meaningOf(response.status)}`);
  yield* compareWithoutCookies(probe, response.status);
  const type = response.headers.get('content-type') ?? '';
  yield /^application\/json\b/.test(type)
    ? good('Content type', type)
    : { verdict: 'note', about: 'Content type', text: `"${type}": expected application/json.` };
  yield ms <= SLOW_MS
    ? good('Time', `${ms} ms`)
    : { verdict: 'note', about: 'Time', text: `${ms} ms: every subscription waits for this.` };
  yield* checkBody(probe, await response.text());
}

function ask(
  { endpoint, channel, socketId, authorization }: Probe,
  credentials: RequestCredentials,
  mode: RequestMode = 'cors',
): Promise<Response> {
  return fetch(endpoint, {
    method: 'POST',
    credentials,
    mode,
    body: new URLSearchParams({ socket_id: socketId, channel_name: channel }),
    ...(authorization && mode === 'cors' && { headers: { Authorization: authorization } }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

/** Finds out why there is no answer by other requests, since browsers do not say it. */
async function* explainSilence(probe: Probe): AsyncGenerator<Finding> {
  if (location.protocol === 'https:' && probe.endpoint.startsWith('http:')) {
    yield bad('Reach', 'A page on https cannot send requests to an http endpoint.');
    return;
  }
  const reached = await ask(probe, 'include', 'no-cors').catch(() => undefined);
  if (!reached) {
    yield bad(
      'Reach',
      'No answer: the address is wrong, nothing listens there, or the certificate is not valid.',
    );
    return;
  }
  yield good('Reach', 'The endpoint answers.');
  const wanted = `Access-Control-Allow-Origin: ${location.origin}`;
  const withoutCookies = await ask(probe, 'omit').catch(() => undefined);
  if (withoutCookies) {
    yield bad(
      'CORS',
      `The endpoint allows requests without cookies only. Answer with Access-Control-Allow-Credentials: true and ${wanted} (not *).`,
    );
    return;
  }
  const headers = probe.authorization
    ? ', and the preflight with Access-Control-Allow-Headers: authorization'
    : '';
  yield bad(
    'CORS',
    `The browser hides the answer from pages of ${location.origin}. Answer with ${wanted}${headers}.`,
  );
}

async function* compareWithoutCookies(probe: Probe, status: number): AsyncGenerator<Finding> {
  const other = await ask(probe, 'omit').catch(() => undefined);
  if (!other) return;
  const about = 'Cookies';
  if (status === 200 && other.status === 200) {
    const text = probe.authorization
      ? 'Not needed: the Authorization header is enough.'
      : 'The endpoint signs without cookies, too. Does it check the user?';
    yield { verdict: probe.authorization ? 'good' : 'note', about, text };
  } else if (status === 200) {
    yield good(about, `They identify the user: without them the endpoint answers ${other.status}.`);
  } else if (status === other.status) {
    yield {
      verdict: 'note',
      about,
      text: 'They make no difference: none were sent, or the endpoint ignores them.',
    };
  }
}

async function* checkBody({ channel, socketId }: Probe, text: string): AsyncGenerator<Finding> {
  const body = parse(text);
  if (typeof body !== 'object' || body === null || !('auth' in body)) {
    const start = text.slice(0, 80);
    yield bad(
      'Body',
      `Expected {"auth": "KEY:SIGNATURE"}, got ${start ? JSON.stringify(start) : 'nothing'}.`,
    );
    return;
  }
  const { auth } = body;
  const data = 'channel_data' in body ? body.channel_data : undefined;
  if (data !== undefined && data !== null && typeof data !== 'string') {
    yield bad('Body', '"channel_data" must be a JSON text, exactly as it was signed.');
    return;
  }
  if (channel.startsWith('presence-') && !data)
    yield bad('Body', 'A presence channel needs "channel_data" with a user_id.');
  else if (channel.startsWith('private-encrypted-') && !('shared_secret' in body))
    yield bad('Body', 'An encrypted channel needs "shared_secret".');
  else yield good('Body', Object.keys(body).join(', '));
  const diagnosis = await api.checkProof({ socketId, channel, auth, channelData: data ?? undefined });
  const { valid } = diagnosis;
  yield {
    verdict: valid ? 'good' : 'bad',
    about: 'Signature',
    text: valid ? 'Signature is valid.' : 'Signature does not match.',
    diagnosis,
  };
}

function meaningOf(status: number): string {
  switch (status) {
    case 401:
      return 'The endpoint does not recognize the user.';
    case 403:
      return 'The user may not subscribe to this channel, or a CSRF token is missing.';
    case 404:
      return 'The server has nothing at this path.';
    case 405:
      return 'The endpoint does not accept POST.';
    case 419:
      return 'A CSRF token is missing.';
    default:
      return '';
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function good(about: string, text: string): Finding {
  return { verdict: 'good', about, text };
}

function bad(about: string, text: string): Finding {
  return { verdict: 'bad', about, text };
}
