import { APP } from '../brokers/server.ts';
import { signed } from '../http.ts';
import { authenticate, authorize } from './client.ts';
import { frameOf, opcodes, upgradeRequest } from './raw.ts';

const NAMES = [
  ...['news', 'private-a', 'presence-a', 'private-encrypted-a', 'cache-a', 'presence-cache-a'],
  ...['#server-to-user-ann', '#user-ann', '__proto__', 'constructor', '', 'a b', '\0', 'é', '\ud800'],
  ...['x'.repeat(201), 'x'.repeat(60_000)],
];
const VALUES = [null, 0, -1, 1e308, true, '', 'x', '{}', '[]', '{', [], {}, [[[[]]]], '\0', '9'.repeat(5000)];
const METHODS = ['POST', 'POST', 'POST', 'POST', 'GET', 'HEAD', 'PUT', 'OPTIONS', 'TRACE', 'BREW'];
const OFFER = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n';
const PATHS = [
  ...['events', 'batch_events', 'channels', 'channels/presence-a', 'channels/presence-a/users', 'users'],
  ...['users/ann', 'users/ann/terminate_connections', 'channels/private-a/subscriptions/remove'],
  ...['channels/%00', 'channels/%', '%2e%2e/', 'webhooks', `${'a'.repeat(9000)}`],
];

/** Makes what a client should not send: valid frames and requests, most of them damaged. The same seed makes the same. */
export class Hostile {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number below `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** The request that opens a WebSocket. */
  handshake(): Buffer {
    const path = `/app/${this.#pick([APP.key, APP.key, APP.key, '__proto__', '%ff', 'a/b'])}`;
    const query = this.#pick(['?protocol=7', '?protocol=7', '?protocol=', '?protocol=99', '']);
    const headers = this.#pick([[], [], ['Upgrade: h2c'], [`X: ${'y'.repeat(this.below(20_000))}`]]);
    return this.#seldom(10, Buffer.from(upgradeRequest(path + query, headers)));
  }

  /** A frame of a client that has this socket id. */
  frame(socketId: string): Buffer {
    const text = JSON.stringify(this.#damaged(this.#message(socketId)));
    const payload = this.below(20) === 0 ? text.slice(0, this.below(text.length)) : text;
    if (this.below(10) > 0) return this.#seldom(30, frameOf({ payload }));
    return frameOf({
      opcode: this.below(16),
      fin: this.below(4) > 0,
      masked: this.below(8) > 0,
      reserved: this.below(8) === 0 ? this.below(8) : 0,
      payload: opcodes.ping === this.below(16) ? '' : payload.slice(0, 120),
    });
  }

  /** A request to the HTTP API. */
  request(): Buffer {
    const method = this.#pick(METHODS);
    const content = this.#damaged(this.#pick([this.#event(), { batch: [this.#event(), this.#event()] }, {}]));
    const body = method === 'POST' ? JSON.stringify(content) : '';
    const app = this.#pick([APP.id, APP.id, APP.id, '__proto__', 'none']);
    const { target } = signed({
      method,
      path: `/apps/${app}/${this.#pick(PATHS)}`,
      body,
      secret: APP.secret,
      proof: { auth_key: APP.key, auth_timestamp: String(Math.floor(Date.now() / 1000)) },
    });
    const header = this.#pick([
      ...['', '', '', OFFER, OFFER],
      'Transfer-Encoding: chunked\r\n',
      'Expect: 100-continue\r\n',
      `X: ${'z'.repeat(this.below(20_000))}\r\n`,
    ]);
    const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${length}${header}\r\n`;
    return this.#seldom(6, Buffer.from(head + body));
  }

  #event(): object {
    return { name: 'e', channel: this.#pick(NAMES), data: '{}' };
  }

  #message(socketId: string): object {
    const channel = this.#pick(NAMES);
    const user = JSON.stringify({ id: this.#pick(['ann', 'bob', '__proto__']), watchlist: ['ann', 'bob'] });
    const member = channel.startsWith('presence-') ? '{"user_id":"ann"}' : undefined;
    return this.#pick<object>([
      {
        event: 'pusher:subscribe',
        data: { channel, auth: authorize(socketId, channel, member), channel_data: member },
      },
      { event: 'pusher:unsubscribe', data: { channel } },
      { event: 'pusher:signin', data: { auth: authenticate(socketId, user), user_data: user } },
      { event: 'pusher:ping', data: {} },
      { event: 'client-x', channel, data: this.#pick<unknown>(VALUES) },
    ]);
  }

  /** Every second one has some of its values replaced. */
  #damaged(message: object): unknown {
    if (this.below(2) === 0) return message;
    return JSON.parse(JSON.stringify(message), (_, value: unknown) =>
      this.below(6) === 0 ? this.#pick<unknown>(VALUES) : value,
    );
  }

  /** One of so many has a few other bytes, or lacks its end. */
  #seldom(many: number, bytes: Buffer): Buffer {
    if (this.below(many) > 0) return bytes;
    for (let count = this.below(4); count > 0; count -= 1) bytes[this.below(bytes.length)] = this.below(256);
    return bytes.subarray(0, this.below(2) === 0 ? bytes.length : this.below(bytes.length));
  }

  #pick<Item>(items: readonly [Item, ...Item[]] | readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}
