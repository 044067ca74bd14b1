import { CountersignError } from './errors.ts';
import type { Fetch } from './platform.ts';
import { asObject, parseJson } from './protocol.ts';

type Fields = Readonly<Record<string, string>>;

/** How the app's own endpoint is asked for a signature. */
export interface AuthorizationOptions<Request, Grant> {
  /** Answers `POST` of form fields with status 200 and JSON. Outside browsers it must be a whole URL. */
  readonly endpoint?: string;
  /** Sent with each request. */
  readonly headers?: Fields;
  /** Form fields sent with each request. */
  readonly params?: Fields;
  /** Called for each request; wins over `headers`. */
  readonly headersProvider?: (() => Fields | Promise<Fields>) | undefined;
  /** Called for each request; wins over `params`. */
  readonly paramsProvider?: (() => Fields | Promise<Fields>) | undefined;
  /** Whether cookies go along; `include` also to another origin. @default 'same-origin' */
  readonly credentials?: 'omit' | 'same-origin' | 'include';
  /** Asks in the app's own way instead. It answers by a promise or by calling back, whichever it likes. */
  readonly customHandler?:
    | ((
        request: Request,
        callback: (error: Error | null, grant?: Grant | null) => void,
      ) => Promise<Grant> | undefined)
    | undefined;
}

export interface ChannelRequest {
  readonly socketId: string;
  readonly channelName: string;
}

export interface UserRequest {
  readonly socketId: string;
}

/** What the app's endpoint signs for a channel. */
export interface ChannelGrant {
  readonly auth: string;
  /** JSON text, signed as it is. */
  readonly channel_data?: string;
  /** Base64 of the key of an encrypted channel. */
  readonly shared_secret?: string;
}

/** What the app's endpoint signs for a user. */
export interface UserGrant {
  readonly auth: string;
  /** JSON text, signed as it is. */
  readonly user_data: string;
}

export type ChannelAuthorization = AuthorizationOptions<ChannelRequest, ChannelGrant>;
export type UserAuthentication = AuthorizationOptions<UserRequest, UserGrant>;

/** Asks the app for signatures. Each refusal is a {@link CountersignError} `auth_failed`. */
export class Authorizer {
  readonly #channels: ChannelAuthorization;
  readonly #users: UserAuthentication;
  readonly #fetch: Fetch;

  constructor(channels: ChannelAuthorization, users: UserAuthentication, fetch: Fetch) {
    this.#channels = channels;
    this.#users = users;
    this.#fetch = fetch;
  }

  async channel(request: ChannelRequest, signal: AbortSignal): Promise<ChannelGrant> {
    const fields = { socket_id: request.socketId, channel_name: request.channelName };
    const grant = await ask(this.#channels, request, fields, this.#fetch, signal);
    return checked(grant, ['auth'], ['channel_data', 'shared_secret']);
  }

  async user(request: UserRequest, signal: AbortSignal): Promise<UserGrant> {
    const grant = await ask(this.#users, request, { socket_id: request.socketId }, this.#fetch, signal);
    return checked(grant, ['auth', 'user_data'], []);
  }
}

async function ask<Request, Grant>(
  options: AuthorizationOptions<Request, Grant>,
  request: Request,
  fields: Fields,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<unknown> {
  const { customHandler, endpoint = '' } = options;
  try {
    if (customHandler) {
      return await new Promise((resolve, reject) => {
        customHandler(request, (error, grant) => (error ? reject(error) : resolve(grant)))?.then(
          resolve,
          reject,
        );
      });
    }
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        ...options.headers,
        ...(await options.headersProvider?.()),
      },
      body: form({ ...fields, ...options.params, ...(await options.paramsProvider?.()) }),
      credentials: options.credentials ?? 'same-origin',
      signal,
    });
    if (response.status !== 200)
      throw failure(`${endpoint} answered with status ${response.status}`, response.status);
    return parseJson(await response.text());
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw failure(`${customHandler ? 'customHandler' : endpoint} did not answer: ${reason}`, 0, error);
  }
}

/** Spaces become `%20`, which every form decoder reads, not `+`. */
function form(fields: Fields): string {
  return Object.entries(fields)
    .map((pair) => pair.map(encodeURIComponent).join('='))
    .join('&');
}

/** What the endpoint answered, once its fields are known to be text: an object would be signed one way and sent another. */
function checked<Grant>(answer: unknown, required: string[], optional: string[]): Grant {
  const fields = asObject(answer);
  for (const name of [...required, ...optional]) {
    const value = fields?.[name];
    if (typeof value === 'string' || (value == null && optional.includes(name))) continue;
    throw failure(`The answer to a request for authorization needs "${name}" as a string`, 200);
  }
  return fields as Grant;
}

export function failure(message: string, status: number, cause?: unknown): CountersignError {
  return new CountersignError('auth_failed', message, status, cause === undefined ? undefined : { cause });
}
