import { asObject } from '../connection/protocol.ts';
import { failure, isTemporary, wordsOf } from '../errors.ts';
import { Batch } from './batch.ts';
import { Credentials, type CredentialsSettings } from './credentials.ts';
import { Endpoint, type EndpointOptions, type EndpointSettings } from './endpoint.ts';
import type { Authorizer, ChannelGrant, ChannelRequest, UserGrant, UserRequest } from './grants.ts';

/**
 * Gets a grant in the app's own way. It returns a promise of the grant, or calls back at any time and may then return
 * anything, as handlers of other Channels clients do. An error with a `status` counts as a response with that status.
 */
export type CustomHandler<Request, Grant> =
  | ((request: Request, callback: GrantCallback<Grant>) => Promise<Grant>)
  | ((request: Request, callback: GrantCallback<Grant>) => void);
type GrantCallback<Grant> = (error: Error | null, grant?: Grant | null) => void;

/** How the client asks the app for signatures. */
export interface AuthorizationOptions<Request, Grant> extends EndpointOptions {
  /** Gets grants in the app's own way; `endpoint` is not used then. */
  readonly customHandler?: CustomHandler<Request, Grant> | undefined;
}

/**
 * How the client asks for the right to join private and presence channels. The endpoint receives `POST` with the form
 * fields `socket_id` and `channel_name` (or `channel_name[0]`, `channel_name[1]` … for a batch).
 *
 * @example
 * ```ts
 * new Countersign('key-1', {
 *   host: 'channels.example.com',
 *   channelAuthorization: { endpoint: 'https://app.example.com/countersign/auth', credentials: 'include' },
 * });
 * ```
 */
export interface ChannelAuthorization extends AuthorizationOptions<ChannelRequest, ChannelGrant> {
  /**
   * Whether channels that ask in the same tick share one request, of at most 200 channels. If the endpoint does not
   * understand it, the client sends one request per channel. @default true
   */
  readonly batch?: boolean | undefined;
}

/**
 * How the client asks for the signature of {@link Countersign.signin}. The endpoint receives `POST` with the form field
 * `socket_id`.
 *
 * @example
 * ```ts
 * const userAuthentication: UserAuthentication = {
 *   endpoint: '/countersign/user-auth',
 *   headersProvider: () => ({ 'x-csrf-token': document.cookie }),
 * };
 * new Countersign('key-1', { host: 'channels.example.com', userAuthentication });
 * ```
 */
export type UserAuthentication = AuthorizationOptions<UserRequest, UserGrant>;

export interface AuthorizerSettings extends EndpointSettings, CredentialsSettings {
  readonly channelAuthorization: ChannelAuthorization;
  readonly userAuthentication: UserAuthentication;
}

/** Asks the app's endpoints or handlers for grants. Each refusal is a {@link CountersignError} `auth_failed`. */
export class AppAuthorizer implements Authorizer {
  /** Aborts a renewal of credentials that is in progress. */
  readonly end: () => void;
  readonly #channels: Ask<ChannelRequest>;
  readonly #users: Ask<UserRequest>;
  readonly #channelUrl: string | undefined;
  readonly #userUrl: string | undefined;

  constructor(settings: AuthorizerSettings, onSignedOut: () => void) {
    const { channelAuthorization: channels, userAuthentication: users } = settings;
    const credentials = new Credentials(settings, onSignedOut);
    this.end = () => credentials.end();
    const channelEndpoint = new Endpoint(channels, settings, credentials);
    const batch = new Batch(channelEndpoint, credentials, settings, channels.batch ?? true);
    const endpoint = new Endpoint(users, settings, credentials);
    this.#channelUrl = channels.customHandler ? undefined : channelEndpoint.url;
    this.#userUrl = users.customHandler ? undefined : endpoint.url;
    this.#channels = custom(channels) ?? ((request, signal) => batch.ask(request, signal));
    this.#users = custom(users) ?? (({ socketId }, signal) => endpoint.post({ socket_id: socketId }, signal));
  }

  async channel(request: ChannelRequest, signal: AbortSignal): Promise<ChannelGrant> {
    return checked(
      await this.#channels(request, signal),
      ['auth'],
      ['channel_data', 'shared_secret'],
      this.#channelUrl,
    );
  }

  async user(request: UserRequest, signal: AbortSignal): Promise<UserGrant> {
    return checked(await this.#users(request, signal), ['auth', 'user_data'], [], this.#userUrl);
  }
}

type Ask<Request> = (request: Request, signal: AbortSignal) => Promise<unknown>;

/** Wraps `customHandler`, if there is one. */
function custom<Request, Grant>({
  customHandler,
}: AuthorizationOptions<Request, Grant>): Ask<Request> | undefined {
  return (
    customHandler &&
    ((request) =>
      new Promise((resolve, reject) => {
        const returned: unknown = customHandler(request, (error, grant) =>
          error ? reject(error) : resolve(grant),
        );
        // A handler that takes a callback may return a value that is not a grant.
        Promise.resolve(returned).then(
          (grant) => (customHandler.length < 2 || asObject(grant)?.['auth']) && resolve(grant),
          reject,
        );
      }).catch((error) => {
        const status = Number(asObject(error)?.['status']) || 0;
        throw failure(
          `customHandler did not answer: ${error}`,
          status,
          { reason: 'handler_failed' },
          isTemporary(status) ? 0 : undefined,
          error,
        );
      }))
  );
}

/** An answer that is not a grant, without its values: they may be secrets. */
function described(answer: unknown): string {
  const fields = asObject(answer);
  if (fields) return `JSON with ${Object.keys(fields).slice(0, 10).join(', ') || 'no fields'}`;
  return typeof answer === 'string' && answer ? `"${wordsOf(answer)}"` : 'nothing';
}

/** Checks that the fields of a response are strings: an object would be signed in one form and sent in another. */
function checked<Grant>(
  answer: unknown,
  required: string[],
  optional: string[],
  url: string | undefined,
): Grant {
  const fields = asObject(answer);
  for (const name of [...required, ...optional]) {
    const value = fields?.[name];
    if (typeof value === 'string' || (value == null && optional.includes(name))) continue;
    throw failure(
      `${url ?? 'customHandler'} returned ${described(answer)}: the app must return "${name}" as a string`,
      200,
      // A text that is not JSON is no grant; an object may be one, with its key.
      { reason: 'endpoint_invalid', url, body: typeof answer === 'string' ? answer : undefined },
    );
  }
  return fields as Grant;
}
