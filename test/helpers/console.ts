import type { Broker } from '@countersign/server';
import { APP, type Credentials } from './server.ts';

/** What the console answered. */
export interface ConsoleAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

/** Somebody who looks at the console without a browser. */
export class Visitor {
  cookie = '';
  readonly #url: string;

  constructor(broker: Pick<Broker, 'url'>, pathPrefix = '') {
    this.#url = `${broker.url}${pathPrefix}/console/`;
  }

  /** Asks for a page or file. */
  get(path = '', headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.#url + path, { redirect: 'manual', headers: { cookie: this.cookie, ...headers } });
  }

  /** Asks what the pages ask, and keeps the cookie. */
  async ask(
    method: string,
    path: string,
    body?: object | string,
    headers: Record<string, string> = { 'X-Countersign-Console': '1' },
  ): Promise<ConsoleAnswer> {
    const response = await fetch(`${this.#url}api/${path}`, {
      method,
      headers: { cookie: this.cookie, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const cookie = response.headers.get('set-cookie');
    if (cookie) this.cookie = cookie.split(';', 1)[0] ?? '';
    const answer = (await response.json()) as Record<string, unknown>;
    return { status: response.status, body: answer, headers: response.headers };
  }

  signIn({ key, secret }: Pick<Credentials, 'key' | 'secret'> = APP): Promise<ConsoleAnswer> {
    return this.ask('POST', 'session', { key, secret });
  }
}
