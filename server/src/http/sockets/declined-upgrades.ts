import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Whether a request asks for a WebSocket. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Serves requests that offer a protocol other than WebSocket as if they offered none, as HTTP allows. Java clients offer
 * HTTP/2 or TLS with each request, and Node emits `upgrade` for every offer once there is a listener.
 */
export class DeclinedUpgrades {
  readonly #server: Server;
  readonly #event: 'connection' | 'secureConnection';

  /** @param event the event by which the server learns of a new connection */
  constructor(server: Server, event: 'connection' | 'secureConnection') {
    this.#server = server;
    this.#event = event;
  }

  /**
   * @param head the bytes after the headers
   * @param before the last response in progress on the same connection
   */
  serve(request: IncomingMessage, head: Buffer, before: ServerResponse | undefined): void {
    const { socket } = request;
    const begin = (): void => {
      if (socket.destroyed || !socket.writable) return;
      socket.off('error', destroy);
      socket.unshift(Buffer.concat([headersOf(request), head]));
      socket.setTimeout(0); // which node has set for a connection that waits for its next request
      this.#server.emit(this.#event, socket);
    };
    // Node treats the connection as a new one, so an earlier response must be finished first.
    if (!before) return begin();
    socket.on('error', destroy); // node listens to it no more
    before.once('close', begin);
  }
}

/** The request line and the headers as they arrived, without the offer. */
function headersOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${rawHeaders[index + 1]}`);
  }
  // Node reads headers as Latin-1.
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function destroy(this: Socket): void {
  this.destroy();
}
