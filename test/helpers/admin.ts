/** Asks the admin API. */
/** The token of the environment in these tests. */
export const OWNER = 'an owner of the tests, 40 characters long';

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect
  readonly body: any;
}

export interface AdminOptions {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** @param path below `/admin/v1` */
export async function admin(
  broker: { readonly url: string },
  method: string,
  path: string,
  { token = OWNER, headers = {}, body }: AdminOptions = {},
): Promise<AdminAnswer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${broker.url}/admin/v1${path}`, {
    method,
    headers: {
      Connection: 'close',
      ...(token !== '' && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: text }),
  });
  const answered = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: answered === '' ? undefined : JSON.parse(answered),
  };
}
