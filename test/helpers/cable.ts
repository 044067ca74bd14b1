import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Broker } from '@countersign/server';
import { onTestFinished } from 'vitest';

/** A way to a broker that can be cut like a cable: neither side gets a close frame. */
export interface Cable {
  readonly host: string;
  readonly port: number;
  /** Ends what is connected now; who comes after that gets through. */
  cut(): void;
}

export async function startCable(broker: Broker): Promise<Cable> {
  const sockets = new Set<Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((near) => {
    const far = connect(broker.port, broker.host);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => {}).on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    cut();
    server.close();
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, cut };
}
