import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a server that can be shut: nothing gets through in either direction, and nobody is told. */
export class Valve {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #far = new Set<Socket>();
  /** The connections of a broker by their purpose: both of their sockets. */
  readonly #links = new Map<Socket, string>();
  readonly #held = new Set<string>();
  #isShut = false;
  #isWithheld = false;

  private constructor(target: number) {
    this.#server = createServer((near) => {
      const far = connect(target, '127.0.0.1');
      this.#far.add(far);
      if (this.#isWithheld) far.pause();
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('data', (chunk) => {
          if (socket === near && this.#holdsNew(near, far, chunk)) near.unshift(chunk);
          else other.write(chunk);
        });
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          this.#far.delete(socket);
          this.#links.delete(socket);
          other.destroy();
        });
        if (this.#isShut) socket.pause();
      }
    });
  }

  /** @param target port of the loopback to which it leads */
  static async open(target: number): Promise<Valve> {
    const valve = new Valve(target);
    await new Promise<void>((resolve) => valve.#server.listen(0, '127.0.0.1', resolve));
    return valve;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Holds back whatever is sent from now on. */
  shut(): void {
    this.#isShut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Holds back all of one connection of a broker, which names its purpose, and of those that replace it. */
  hold(link: string): void {
    this.#held.add(link);
    for (const [socket, name] of this.#links) if (name === link) socket.pause();
  }

  /** Ends one connection of a broker. */
  cutLink(link: string): void {
    for (const [socket, name] of this.#links) if (name === link) socket.destroy();
  }

  /** Holds back what the server answers from now on; what it is sent gets through. */
  withhold(): void {
    this.#isWithheld = true;
    for (const socket of this.#far) socket.pause();
  }

  /** Lets through what was held back, and what follows. */
  reopen(): void {
    this.#isShut = this.#isWithheld = false;
    this.#held.clear();
    for (const socket of this.#sockets) socket.resume();
  }

  /** Ends what is connected now; who comes after that gets through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  /** Reads the purpose of a connection once; whether it is held back from now on. */
  #holdsNew(near: Socket, far: Socket, chunk: Buffer): boolean {
    if (this.#links.has(near)) return false;
    const link = /countersign-([a-z-]+)/.exec(chunk.toString('latin1'))?.[1];
    if (link === undefined) return false;
    for (const socket of [near, far]) {
      this.#links.set(socket, link);
      if (this.#held.has(link)) socket.pause();
    }
    return this.#held.has(link);
  }
}
