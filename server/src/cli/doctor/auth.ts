/** An auth endpoint, asked as a page asks it. */
import { channelText, verify } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import {
  ANSWER_MS,
  type Finding,
  ok,
  reasonOf,
  type Step,
  skipped,
  type Target,
  wrong,
} from './examination.ts';

/** A channel and a connection for which any endpoint can sign. */
const CHANNEL = 'private-countersign-doctor';
const SOCKET_ID = '123456.7890123';

const answerSchema = z.looseObject({ auth: z.string(), channel_data: z.string().optional() });
const NO_ENDPOINT = skipped('--auth-endpoint names the auth endpoint of your backend');

interface Answer {
  readonly response: Response;
  readonly text: string;
}

export const authStatus: Step = {
  name: 'auth_status',
  needs: [],
  async examine(target) {
    if (!target.authEndpoint) return NO_ENDPOINT;
    try {
      const { response } = await post(target, target.authEndpoint);
      if (response.status === 200) return ok('the endpoint answers with 200');
      const location = response.headers.get('location');
      if (location !== null) {
        return wrong(
          `the endpoint answers with ${response.status} and leads to ${shown(location)}`,
          'Answer without a redirect: give the session of a user by --cookie, or the address that it leads to',
          'cors.md#what-goes-wrong',
        );
      }
      const cure =
        response.status === 401 || response.status === 403
          ? 'Give the session of a user who may listen, by --cookie'
          : 'The endpoint takes POST with socket_id and channel_name, and answers with 200';
      return wrong(`the endpoint answers with ${response.status}`, cure, 'cors.md#what-goes-wrong');
    } catch (error) {
      return wrong(
        `nobody answers: ${reasonOf(error)}`,
        'Start the backend, or correct the address',
        'cors.md#both-sides',
      );
    }
  },
};

export const authPreflight: Step = {
  name: 'auth_preflight',
  needs: ['auth_status'],
  async examine(target) {
    const { authEndpoint } = target;
    if (!authEndpoint) return NO_ENDPOINT;
    const page = otherOrigin(target, authEndpoint);
    if (typeof page === 'object') return page;
    const response = await fetch(authEndpoint, {
      method: 'OPTIONS',
      headers: {
        Origin: page,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type',
      },
      // A browser follows no redirect of a preflight.
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const [isAllowed, allowed] = allows(response, page);
    if (response.ok && isAllowed) return ok('the preflight is answered');
    return wrong(
      `the preflight is answered with ${response.status}, Access-Control-Allow-Origin ${allowed}`,
      'Answer OPTIONS with 204 and the origin of the page',
      'cors.md#both-sides',
    );
  },
};

export const authCors: Step = {
  name: 'auth_cors',
  needs: ['auth_status'],
  async examine(target) {
    const { authEndpoint } = target;
    if (!authEndpoint) return NO_ENDPOINT;
    const page = otherOrigin(target, authEndpoint);
    if (typeof page === 'object') return page;
    const { response } = await post(target, authEndpoint);
    const [isAllowed, allowed] = allows(response, page);
    if (isAllowed) return ok(`pages of ${page} may read the answer`);
    return wrong(
      `Access-Control-Allow-Origin is ${allowed}, so pages of ${page} cannot read the answer`,
      'Answer with the origin of the page',
      'cors.md#both-sides',
    );
  },
};

export const authCookies: Step = {
  name: 'auth_cookies',
  needs: ['auth_status'],
  async examine(target) {
    const { authEndpoint, cookie } = target;
    if (!authEndpoint) return NO_ENDPOINT;
    if (cookie === undefined) return skipped('--cookie sends the session of a user');
    const page = otherOrigin(target, authEndpoint);
    if (typeof page === 'object') return page;
    const { response } = await post(target, authEndpoint);
    const allowed = response.headers.get('access-control-allow-origin');
    const credentials = response.headers.get('access-control-allow-credentials');
    if (credentials === 'true' && allowed !== '*') return ok('pages may send cookies');
    return wrong(
      credentials === 'true'
        ? 'browsers send no cookies where Access-Control-Allow-Origin is *'
        : 'Access-Control-Allow-Credentials is not true',
      'Answer with the origin itself and Access-Control-Allow-Credentials: true',
      'cors.md#both-sides',
    );
  },
};

export const authBody: Step = {
  name: 'auth_body',
  needs: ['auth_status'],
  async examine(target) {
    if (!target.authEndpoint) return NO_ENDPOINT;
    const { text } = await post(target, target.authEndpoint);
    if (readAnswer(text)) return ok('the body is what clients expect');
    return wrong(
      `the body is not { "auth": "KEY:SIGNATURE" }, but ${text === '' ? 'empty' : shown(text)}`,
      'Answer with what the server library returns, as JSON',
      'cors.md#other-backends',
    );
  },
};

export const authSignature: Step = {
  name: 'auth_signature',
  needs: ['auth_body'],
  async examine(target) {
    const { authEndpoint, key, secret } = target;
    if (!authEndpoint) return NO_ENDPOINT;
    if (key === undefined || secret === undefined) return skipped('--key and --secret verify the signature');
    const answer = readAnswer((await post(target, authEndpoint)).text);
    const [signer, signature = ''] = answer?.auth.split(':') ?? [];
    if (signer !== key) {
      return wrong(
        `the endpoint signs with the key ${signer}, and the page connects with ${key}`,
        'Give backend and page the same key',
        'keys.md#which-keys-are-in-use',
      );
    }
    if (verify(secret, channelText(SOCKET_ID, CHANNEL, answer?.channel_data), signature))
      return ok('the signature is that of the secret');
    return wrong(
      'the signature is not that of the secret',
      'Compare the secret of the backend with that of the broker',
      'errors.md#invalid_signature',
    );
  },
};

/** The origin of the page, if it is another one than that of the endpoint; otherwise why there is nothing to examine. */
function otherOrigin({ origin }: Target, endpoint: URL): string | Finding {
  if (origin === undefined) return skipped('--origin names the origin of your page');
  return origin === endpoint.origin ? skipped('the page and the endpoint have one origin') : origin;
}

/** Whether a browser lets a page of this origin read the answer; beside it what the answer allows. */
function allows(response: Response, origin: string): readonly [isAllowed: boolean, allowed: string] {
  const allowed = response.headers.get('access-control-allow-origin') ?? 'missing';
  return [allowed === '*' || allowed === origin, allowed];
}

/** The beginning of what a stranger sent, on one line and without what a terminal would obey. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 60)).replaceAll('\u009b', '');
}

function readAnswer(text: string): z.infer<typeof answerSchema> | undefined {
  try {
    const answer = answerSchema.safeParse(JSON.parse(text));
    return answer.success && /^[^:]+:[0-9a-f]{64}$/.test(answer.data.auth) ? answer.data : undefined;
  } catch {
    return undefined;
  }
}

async function post({ origin, cookie }: Target, endpoint: URL): Promise<Answer> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      ...(origin !== undefined && { Origin: origin }),
      ...(cookie !== undefined && { Cookie: cookie }),
    },
    body: new URLSearchParams({ socket_id: SOCKET_ID, channel_name: CHANNEL }).toString(),
    redirect: 'manual',
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  return { response, text: await response.text() };
}
