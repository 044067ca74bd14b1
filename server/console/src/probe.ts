import { api } from './api.ts';
import type { Diagnosis } from './wire.ts';

/** One thing that was found out about an endpoint. */
export interface Finding {
  readonly verdict: 'good' | 'bad' | 'note';
  readonly about: string;
  readonly text: string;
  readonly diagnosis?: Diagnosis;
}

/** What a client would ask an endpoint for. */
export interface Probe {
  readonly endpoint: string;
  readonly channel: string;
  readonly socketId: string;
  /** Value of an `Authorization` header; empty for none. */
  readonly authorization: string;
}

const TIMEOUT_MS = 10_000;
/** Milliseconds after which users notice the wait. */
const SLOW_MS = 500;

/** Asks an auth endpoint as a page of this origin would, and tells everything that it meets. */
export async function* runProbe(probe: Probe): AsyncGenerator<Finding> {
  const start = performance.now();
  const response = await ask(probe, 'include').catch(() => undefined);
  const ms = Math.round(performance.now() - start);
  if (!response) return yield* explainSilence(probe);

  const isOtherOrigin = new URL(probe.endpoint, location.href).origin !== location.origin;
  yield good(
    'CORS',
    isOtherOrigin ? `${location.origin} may ask, with cookies.` : 'The same origin: nothing to allow.',
  );
  if (response.redirected)
    yield bad('Redirect', `The answer came from ${response.url}: is that a login page?`);
  yield response.status === 200
    ? good('Status', '200')
    : bad('Status', `${response.status}: clients take 200 only. ${meaningOf(response.status)}`);
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

/** Browsers do not say why there is no answer, so other ways to ask have to tell. */
async function* explainSilence(probe: Probe): AsyncGenerator<Finding> {
  if (location.protocol === 'https:' && probe.endpoint.startsWith('http:')) {
    yield bad('Reach', 'A page that came over https cannot ask an endpoint over http.');
    return;
  }
  const reached = await ask(probe, 'include', 'no-cors').catch(() => undefined);
  if (!reached) {
    yield bad(
      'Reach',
      'No answer: the address is wrong, nothing listens there, or its certificate does not hold.',
    );
    return;
  }
  yield good('Reach', 'Something answers.');
  const wanted = `Access-Control-Allow-Origin: ${location.origin}`;
  const withoutCookies = await ask(probe, 'omit').catch(() => undefined);
  if (withoutCookies) {
    yield bad(
      'CORS',
      `Pages may ask, but without cookies only. Answer with Access-Control-Allow-Credentials: true and ${wanted} (not *).`,
    );
    return;
  }
  const headers = probe.authorization
    ? ', and the preflight with Access-Control-Allow-Headers: authorization'
    : '';
  yield bad(
    'CORS',
    `The browser keeps the answer from pages of ${location.origin}. Answer with ${wanted}${headers}.`,
  );
}

async function* compareWithoutCookies(probe: Probe, status: number): AsyncGenerator<Finding> {
  const other = await ask(probe, 'omit').catch(() => undefined);
  if (!other) return;
  const about = 'Cookies';
  if (status === 200 && other.status === 200) {
    const text = probe.authorization
      ? 'None are needed: the Authorization header is enough.'
      : 'It signs without cookies too: does it ask who the user is?';
    yield { verdict: probe.authorization ? 'good' : 'note', about, text };
  } else if (status === 200) {
    yield good(about, `They tell who the user is: without them it answers ${other.status}.`);
  } else if (status === other.status) {
    yield {
      verdict: 'note',
      about,
      text: 'They change nothing: either none were sent, or they do not help.',
    };
  }
}

async function* checkBody({ channel, socketId }: Probe, text: string): AsyncGenerator<Finding> {
  const body = parse(text);
  if (typeof body !== 'object' || body === null || !('auth' in body)) {
    const start = text.slice(0, 80);
    yield bad(
      'Body',
      `Expected {"auth": "KEY:SIGNATURE"}, and got ${start ? JSON.stringify(start) : 'nothing'}.`,
    );
    return;
  }
  const { auth } = body;
  const data = 'channel_data' in body ? body.channel_data : undefined;
  if (data !== undefined && data !== null && typeof data !== 'string') {
    yield bad('Body', '"channel_data" must be a string that holds JSON, signed as it is.');
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
    text: valid ? 'It holds.' : 'It does not hold.',
    diagnosis,
  };
}

function meaningOf(status: number): string {
  switch (status) {
    case 401:
      return 'It does not know who asks.';
    case 403:
      return 'This user may not join this channel, or a CSRF token is missing.';
    case 404:
      return 'Nothing is at this path.';
    case 405:
      return 'It does not take POST.';
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
