import type { Range } from '../../../src/adapter/figure-ranges.ts';
import type {
  AccessAnswer,
  AuditPage,
  ChannelHistory,
  ChannelList,
  ChannelState,
  DeliveryState,
  DeliveryView,
  Diagnosis,
  HookHealth,
  HookView,
  RecordingView,
  RevocationAnswer,
  RevocationsAnswer,
  SessionView,
  StepView,
  UserAnswer,
} from './wire.ts';

/** The broker refused a request, or did not answer (status 0). The message says what to change, and the code under which docs/errors.md explains it. */
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The broker refuses requests without this header, since pages of other sites cannot send it. */
export const OWN_HEADER = { 'X-Countersign-Console': '1' };

/** What a publish answers that asked for the number of subscriptions. */
export interface PublishAnswer {
  readonly channels?: Readonly<Record<string, { readonly subscription_count?: number }>>;
}

/** One page of a recording. */
export interface RecordedPage {
  readonly recording: RecordingView;
  readonly steps: readonly StepView[];
  /** For the next page. */
  readonly cursor?: string;
  /** Nodes that did not answer. */
  readonly pending?: readonly string[];
}

export interface Credentials {
  readonly key: string;
  readonly secret: string;
}

/** The requests to the broker. Each may fail with an {@link ApiFailure}; 401 means that the session has ended. */
export const api = {
  session: () => ask<SessionView>('GET', 'session'),
  signIn: (credentials: Credentials) => ask<SessionView>('POST', 'session', credentials),
  signOut: () => ask('DELETE', 'session'),
  /** Keeps the live data coming, with one channel or connection in detail, and the past of a range. */
  watch: (watched: {
    readonly channel?: string;
    readonly socketId?: string;
    readonly range: Range | undefined;
  }) => ask('POST', 'watch', watched),
  channels: (filter: { readonly contains: string }) =>
    ask<ChannelList>('GET', `channels?${new URLSearchParams(filter)}`),
  history: (name: string) => ask<ChannelHistory>('GET', `history?name=${encodeURIComponent(name)}`),
  channel: (name: string) => ask<ChannelState>('GET', `channel?name=${encodeURIComponent(name)}`),
  /** @param body as for `POST events` of the HTTP API */
  publish: (body: object) => ask<PublishAnswer>('POST', 'events', body),
  curl: (body: object) =>
    ask<{ readonly line: string }>('POST', 'curl', {
      origin: location.origin,
      body: JSON.stringify(body),
    }).then(({ line }) => line),
  users: () =>
    ask<{ readonly users: readonly { readonly id: string }[] }>('GET', 'users?limit=1000').then(
      ({ users }) => users,
    ),
  /** A user with what they hold and what keeps them out. Ids that cannot sign in have no connections. */
  user: async (id: string) => {
    const name = encodeURIComponent(id);
    const [user, access, revocations] = await Promise.all([
      ask<UserAnswer>('GET', `users/${name}`).catch((error: unknown) => {
        if (error instanceof ApiFailure && error.status === 400) return { id, connections: [] };
        throw error;
      }),
      ask<AccessAnswer>('GET', `access?user_id=${name}`),
      ask<RevocationsAnswer>('GET', 'revocations?limit=1000'),
    ]);
    const blocks = revocations.revocations.filter(
      ({ target, blocked_until: until }) =>
        target.user_id === id && until !== null && until * 1000 > Date.now(),
    );
    return { ...user, held: access.subscriptions, blocks };
  },
  /** @param body as for `POST revocations` of the HTTP API */
  revoke: (body: object) => ask<RevocationAnswer>('POST', 'revocations', body),
  lift: (id: string) => ask('DELETE', `revocations/${encodeURIComponent(id)}`),
  access: (channel: string) => ask<AccessAnswer>('GET', `access?channel=${encodeURIComponent(channel)}`),
  /** What the audit log says, the oldest first; `null` if it is off. */
  audit: (query: Readonly<Record<string, string>>) =>
    ask<AuditPage>('GET', `audit?${new URLSearchParams(query)}`).catch((error: unknown) => {
      if (error instanceof ApiFailure && error.status === 404) return null;
      throw error;
    }),
  recordings: () =>
    ask<{ readonly recordings: readonly RecordingView[] }>('GET', 'recordings').then(
      ({ recordings }) => recordings,
    ),
  /** @param body as for `POST recordings` of the HTTP API */
  record: (body: object) => ask<RecordingView>('POST', 'recordings', body),
  recording: (id: string, cursor: string) =>
    ask<RecordedPage>(
      'GET',
      `recordings/${encodeURIComponent(id)}?limit=${STEPS}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    ),
  forgetRecording: (id: string) => ask('DELETE', `recordings/${encodeURIComponent(id)}`),
  checkProof: (proof: object) => ask<Diagnosis>('POST', 'proof', proof),
  webhooks: () =>
    ask<{ readonly webhooks: readonly HookView[] }>('GET', 'webhooks').then(({ webhooks }) => webhooks),
  hookHealth: (hook: string) => ask<HookHealth>('GET', `webhook-health?hook=${encodeURIComponent(hook)}`),
  deliveries: (hook: string, state: DeliveryState) =>
    ask<{ readonly deliveries: readonly DeliveryView[] }>(
      'GET',
      `webhooks/${encodeURIComponent(hook)}/deliveries?state=${state}&limit=50`,
    ).then(({ deliveries }) => deliveries),
  changeHook: (hook: string, verb: 'pause' | 'resume' | 'test') =>
    ask('POST', `webhooks/${encodeURIComponent(hook)}/${verb}`, {}),
  /** @param which `{ deliveries: ids }`, or `{ state }` for all in that state */
  changeDeliveries: (hook: string, verb: 'retry' | 'skip', which: object) =>
    ask('POST', `webhooks/${encodeURIComponent(hook)}/${verb}`, which),
};

/** Steps of a recording on one page. */
const STEPS = 500;

/** Milliseconds after which a request counts as failed, so that they do not pile up. */
const TIMEOUT_MS = 10_000;

/**
 * Sends a request to the broker.
 *
 * @throws ApiFailure
 */
export async function ask<Answer = unknown>(
  method: string,
  path: string,
  body?: object,
  headers?: Readonly<Record<string, string>>,
): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`api/${path}`, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { ...OWN_HEADER, ...(body && { 'Content-Type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiFailure(0, 'The broker does not answer');
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as Answer;
  const { error, detail, code }: { error?: unknown; detail?: unknown; code?: unknown } =
    typeof answer === 'object' && answer ? answer : {};
  const reason = error ?? detail;
  const message = reason ? `${reason} (${code})` : `The broker answered ${response.status}`;
  throw new ApiFailure(response.status, message);
}
