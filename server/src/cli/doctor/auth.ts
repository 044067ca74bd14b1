/** An auth endpoint, asked as a page asks it. */
import { channelText, verify } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import { ANSWER_MS, ok, type Patient, reasonOf, type Step, skipped, wrong } from './examination.ts';

/** A channel and a connection for which any endpoint can sign. */
const CHANNEL = 'private-countersign-doctor';
const SOCKET_ID = '123456.7890123';

const answerSchema = z.looseObject({ auth: z.string(), channel_data: z.string().optional() });
const NO_ENDPOINT = skipped('--auth-endpoint names the auth endpoint of your backend');
const NO_ORIGIN = skipped('--origin names the origin of your page');

interface Answer {
  readonly response: Response;
  readonly text: string;
}

export const authStatus: Step = {
  name: 'auth_status',
  needs: [],
  async examine(patient) {
    if (!patient.authEndpoint) return NO_ENDPOINT;
    try {
      const { response } = await post(patient, patient.authEndpoint);
      if (response.status === 200) return ok('the endpoint answers with 200');
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
  async examine(patient) {
    const { authEndpoint, origin } = patient;
    if (!authEndpoint) return NO_ENDPOINT;
    if (origin === undefined) return NO_ORIGIN;
    if (origin === authEndpoint.origin) return skipped('the page and the endpoint have one origin');
    const response = await fetch(authEndpoint, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type',
      },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const allowed = response.headers.get('access-control-allow-origin');
    if (response.ok && (allowed === '*' || allowed === origin)) return ok('the preflight is answered');
    return wrong(
      `the preflight is answered with ${response.status}, Access-Control-Allow-Origin ${allowed ?? 'missing'}`,
      'Answer OPTIONS with 204 and the origin of the page',
      'cors.md#both-sides',
    );
  },
};

export const authCors: Step = {
  name: 'auth_cors',
  needs: ['auth_status'],
  async examine(patient) {
    const { authEndpoint, origin } = patient;
    if (!authEndpoint) return NO_ENDPOINT;
    if (origin === undefined) return NO_ORIGIN;
    if (origin === authEndpoint.origin) return skipped('the page and the endpoint have one origin');
    const { response } = await post(patient, authEndpoint);
    const allowed = response.headers.get('access-control-allow-origin');
    if (allowed === '*' || allowed === origin) return ok(`pages of ${origin} may read the answer`);
    return wrong(
      `Access-Control-Allow-Origin is ${allowed ?? 'missing'}, so pages of ${origin} cannot read the answer`,
      'Answer with the origin of the page',
      'cors.md#both-sides',
    );
  },
};

export const authCookies: Step = {
  name: 'auth_cookies',
  needs: ['auth_status'],
  async examine(patient) {
    const { authEndpoint, origin, cookie } = patient;
    if (!authEndpoint) return NO_ENDPOINT;
    if (cookie === undefined) return skipped('--cookie sends the session of a user');
    if (origin === undefined) return NO_ORIGIN;
    if (origin === authEndpoint.origin) return skipped('the page and the endpoint have one origin');
    const { response } = await post(patient, authEndpoint);
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
  async examine(patient) {
    if (!patient.authEndpoint) return NO_ENDPOINT;
    const { text } = await post(patient, patient.authEndpoint);
    if (readAnswer(text)) return ok('the body is what clients expect');
    return wrong(
      `the body is not { "auth": "KEY:SIGNATURE" }, but ${text.slice(0, 60) || 'empty'}`,
      'Answer with what the server library returns, as JSON',
      'cors.md#other-backends',
    );
  },
};

export const authSignature: Step = {
  name: 'auth_signature',
  needs: ['auth_body'],
  async examine(patient) {
    const { authEndpoint, key, secret } = patient;
    if (!authEndpoint) return NO_ENDPOINT;
    if (key === undefined || secret === undefined) return skipped('--key and --secret verify the signature');
    const answer = readAnswer((await post(patient, authEndpoint)).text);
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

function readAnswer(text: string): z.infer<typeof answerSchema> | undefined {
  try {
    const answer = answerSchema.safeParse(JSON.parse(text));
    return answer.success && /^[^:]+:[0-9a-f]{64}$/.test(answer.data.auth) ? answer.data : undefined;
  } catch {
    return undefined;
  }
}

async function post({ origin, cookie }: Patient, endpoint: URL): Promise<Answer> {
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
