import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Broker } from '@countersign/server';
import { onTestFinished } from 'vitest';

/** A way to a broker, such as a load balancer is. */
export interface Cable {
  readonly host: string;
  readonly port: number;
  /** Ends what is connected now, without a close frame to either side; who comes after that gets through. */
  cut(): void;
  /** Brings who comes from now on to another broker. */
  leadTo(broker: Broker): void;
}

export async function startCable(broker: Broker): Promise<Cable> {
  let target = broker;
  const sockets = new Set<Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((near) => {
    const far = connect(target.port, target.host);
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
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    cut,
    leadTo(other) {
      target = other;
    },
  };
}
