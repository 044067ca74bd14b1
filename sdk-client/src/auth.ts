import { Batch } from './batch.ts';
import { Credentials, type CredentialsSettings } from './credentials.ts';
import { Endpoint, type EndpointOptions, type EndpointSettings } from './endpoint.ts';
import { failure, isTemporary } from './errors.ts';
import type { Authorizer, ChannelGrant, ChannelRequest, UserGrant, UserRequest } from './grants.ts';
import { asObject } from './protocol.ts';

/**
 * Asks in the app's own way. It answers by a promise, or by calling back at any time; then it may return anything, as
 * handlers written for other Channels clients do. An error with a `status` counts as if an endpoint had answered that.
 */
export type CustomHandler<Request, Grant> =
  | ((request: Request, callback: GrantCallback<Grant>) => Promise<Grant>)
  | ((request: Request, callback: GrantCallback<Grant>) => void);
type GrantCallback<Grant> = (error: Error | null, grant?: Grant | null) => void;

/** How the app is asked for a signature. */
export interface AuthorizationOptions<Request, Grant> extends EndpointOptions {
  /** Asks in the app's own way instead. */
  readonly customHandler?: CustomHandler<Request, Grant> | undefined;
}

export interface ChannelAuthorization extends AuthorizationOptions<ChannelRequest, ChannelGrant> {
  /**
   * Whether channels that ask at the same time share one request. An endpoint that does not understand it is asked for
   * each channel by itself. @default true
   */
  readonly batch?: boolean | undefined;
}
export type UserAuthentication = AuthorizationOptions<UserRequest, UserGrant>;

export interface AuthorizerSettings extends EndpointSettings, CredentialsSettings {
  readonly channelAuthorization: ChannelAuthorization;
  readonly userAuthentication: UserAuthentication;
}

/** Asks the app for signatures. Each refusal is a {@link CountersignError} `auth_failed`. */
export class AppAuthorizer implements Authorizer {
  /** Ends what is under way without anybody who waits for it. */
  readonly end: () => void;
  readonly #channels: Ask<ChannelRequest>;
  readonly #users: Ask<UserRequest>;

  constructor(settings: AuthorizerSettings, onSignedOut: () => void) {
    const { channelAuthorization: channels, userAuthentication: users } = settings;
    const credentials = new Credentials(settings, onSignedOut);
    this.end = () => credentials.end();
    const batch = new Batch(
      new Endpoint(channels, settings, credentials),
      credentials,
      settings,
      channels.batch ?? true,
    );
    const endpoint = new Endpoint(users, settings, credentials);
    this.#channels = custom(channels) ?? ((request, signal) => batch.ask(request, signal));
    this.#users = custom(users) ?? (({ socketId }, signal) => endpoint.post({ socket_id: socketId }, signal));
  }

  async channel(request: ChannelRequest, signal: AbortSignal): Promise<ChannelGrant> {
    return checked(await this.#channels(request, signal), ['auth'], ['channel_data', 'shared_secret']);
  }

  async user(request: UserRequest, signal: AbortSignal): Promise<UserGrant> {
    return checked(await this.#users(request, signal), ['auth', 'user_data'], []);
  }
}

type Ask<Request> = (request: Request, signal: AbortSignal) => Promise<unknown>;

/** The app's own way to ask, if it has one. */
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
        // One that can call back may return what is no answer.
        Promise.resolve(returned).then(
          (grant) => (customHandler.length < 2 || asObject(grant)?.['auth']) && resolve(grant),
          reject,
        );
      }).catch((error) => {
        const status = Number(asObject(error)?.['status']) || 0;
        throw failure(
          `customHandler did not answer: ${error}`,
          status,
          isTemporary(status) ? 0 : undefined,
          error,
        );
      }))
  );
}

/** What the endpoint answered, once its fields are known to be text: an object would be signed one way and sent another. */
function checked<Grant>(answer: unknown, required: string[], optional: string[]): Grant {
  const fields = asObject(answer);
  for (const name of [...required, ...optional]) {
    const value = fields?.[name];
    if (typeof value === 'string' || (value == null && optional.includes(name))) continue;
    throw failure(`The app must answer "${name}" as a string`, 200);
  }
  return fields as Grant;
}
