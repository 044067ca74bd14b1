import type {
  ChannelList,
  ChannelState,
  Delivery,
  DeliveryState,
  Diagnosis,
  Session,
  Webhook,
} from './wire.ts';

/** The broker said no; the message says what to change. */
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Without it the broker takes a request for one of another site's page. */
export const OWN_HEADER = { 'X-Countersign-Console': '1' };

/** What somebody signs in with. */
export interface Credentials {
  readonly key: string;
  readonly secret: string;
}

/** What can be asked of the broker. Every call may fail with an {@link ApiFailure}; 401 means that the session is over. */
export const api = {
  session: () => ask<Session>('GET', 'session'),
  signIn: (credentials: Credentials) => ask<Session>('POST', 'session', credentials),
  signOut: () => ask('DELETE', 'session'),
  /** Keeps the broker telling what happens, and closely for one channel. */
  watch: (channel: string | undefined) => ask('POST', 'watch', { channel }),
  channels: (prefix: string) => ask<ChannelList>('GET', `channels?prefix=${encodeURIComponent(prefix)}`),
  channel: (name: string) => ask<ChannelState>('GET', `channel?name=${encodeURIComponent(name)}`),
  /** @param body that of `POST events` of the HTTP API */
  publish: (body: object) => ask('POST', 'events', body),
  curl: (body: object) =>
    ask<{ readonly line: string }>('POST', 'curl', {
      origin: location.origin,
      body: JSON.stringify(body),
    }).then(({ line }) => line),
  checkProof: (proof: object) => ask<Diagnosis>('POST', 'proof', proof),
  webhooks: () =>
    ask<{ readonly webhooks: readonly Webhook[] }>('GET', 'webhooks').then(({ webhooks }) => webhooks),
  deliveries: (hook: string, state: DeliveryState) =>
    ask<{ readonly deliveries: readonly Delivery[] }>(
      'GET',
      `webhooks/${encodeURIComponent(hook)}/deliveries?state=${state}&limit=50`,
    ).then(({ deliveries }) => deliveries),
  changeHook: (hook: string, verb: 'pause' | 'resume' | 'test') =>
    ask('POST', `webhooks/${encodeURIComponent(hook)}/${verb}`, {}),
  /** @param which `{ deliveries: ids }`, or `{ state }` for all in one state */
  changeDeliveries: (hook: string, verb: 'retry' | 'skip', which: object) =>
    ask('POST', `webhooks/${encodeURIComponent(hook)}/${verb}`, which),
};

async function ask<Answer = unknown>(method: string, path: string, body?: object): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`api/${path}`, {
      method,
      headers: { ...OWN_HEADER, ...(body && { 'Content-Type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiFailure(0, 'The broker does not answer');
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as Answer;
  const said = typeof answer === 'object' && answer && 'error' in answer ? String(answer.error) : '';
  throw new ApiFailure(response.status, said || `The broker answered ${response.status}`);
}
