import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Whether a request asks for what the broker upgrades to. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Serves requests as if they had offered no other protocol, which servers may ignore. Clients in Java offer HTTP/2 or
 * TLS with each request, and node hands over whatever is offered as soon as somebody takes upgrades.
 */
export class DeclinedUpgrades {
  readonly #server: Server;
  readonly #event: 'connection' | 'secureConnection';

  /** @param event what tells the server of a new connection */
  constructor(server: Server, event: 'connection' | 'secureConnection') {
    this.#server = server;
    this.#event = event;
  }

  /**
   * @param head what came behind the headers
   * @param before the last answer that is under way on the same connection
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
    // Node takes the connection for a new one, on which no other answer may be under way.
    if (!before) return begin();
    socket.on('error', destroy); // node listens to it no more
    before.once('close', begin);
  }
}

/** The request line and the headers as they came, but for the offer. */
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
