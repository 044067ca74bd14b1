/**
 * `npm run bench:revocation`: how long it takes to take back what was granted: from one user after the other on three nodes,
 * and from very many at once on one process. This process holds the clients, so the last figures include the time that
 * it needs to read what they are told.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Countersign } from '@countersign/sdk-server';
import { WebSocket } from 'ws';
import { HOST, Machine } from './machine.ts';
import { replaceBetween } from './page.ts';

const APP = { appId: 'app-id', key: 'app-key', secret: 'bench-8f3c1d7a52e94b60' };
const NODES = 3;
const CONNECTIONS = 1000;
/** Connections of one user, on all nodes alike. */
const DEVICES = 10;
const MANY = { connections: 2000, channels: 25 };
const CONNECTING_AT_ONCE = 50;
const PAGE = new URL('../../../docs/performance.md', import.meta.url);

/** A connection in some channels. */
class Client {
  /** Resolves when it has lost them all, or is closed. */
  readonly ended: Promise<void>;
  readonly subscribed: Promise<void>;
  readonly #socket: WebSocket;

  constructor(port: number, channels: readonly string[]) {
    const socket = new WebSocket(`ws://${HOST}:${port}/app/app-key?protocol=7&client=bench&version=1.0`);
    this.#socket = socket;
    const backend = backendAt(port);
    let [succeeded, lost] = [0, 0];
    let [onSubscribed, onEnded] = [() => {}, () => {}];
    this.ended = new Promise((resolve) => {
      onEnded = resolve;
    });
    this.subscribed = new Promise((resolve, reject) => {
      onSubscribed = resolve;
      socket.once('error', reject);
    });
    socket.once('close', () => onEnded());
    socket.on('message', (frame) => {
      const { event, data } = JSON.parse(frame.toString());
      if (event === 'pusher:connection_established') {
        const { socket_id: socketId } = JSON.parse(data);
        for (const channel of channels) {
          const proof = backend.authorizeChannel(socketId, channel);
          socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel, ...proof } }));
        }
      } else if (event === 'pusher_internal:subscription_succeeded') {
        succeeded += 1;
        if (succeeded === channels.length) onSubscribed();
      } else if (event === 'pusher:subscription_error') {
        lost += 1;
        if (lost === channels.length) onEnded();
      }
    });
  }

  close(): void {
    this.#socket.terminate();
  }
}

async function open(count: number, make: (n: number) => Client): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const from = clients.length;
    const opened = Array.from({ length: Math.min(CONNECTING_AT_ONCE, count - from) }, (_, n) =>
      make(from + n),
    );
    await Promise.all(opened.map(({ subscribed }) => subscribed));
    clients.push(...opened);
  }
  return clients;
}

function backendAt(port: number): Countersign {
  return new Countersign({ ...APP, host: HOST, port });
}

/** Takes from each user in turn what it has on all nodes. */
async function users(): Promise<string> {
  const machine = await Machine.start({ name: 'three nodes', brokers: NODES, store: 'redis' });
  try {
    const count = (NODES * CONNECTIONS) / DEVICES;
    const clients = await open(
      NODES * CONNECTIONS,
      (n) => new Client(machine.ports[n % NODES] ?? 0, [`private-user-${n % count}`]),
    );
    const took: number[] = [];
    for (let user = 0; user < count; user += 1) {
      const channel = `private-user-${user}`;
      const answer = await backendAt(machine.ports[user % NODES] ?? 0).revoke({ target: { channel } });
      if (answer.ended.subscriptions !== DEVICES) throw new Error(`Not all ended: ${JSON.stringify(answer)}`);
      took.push(answer.took_ms);
    }
    for (const client of clients) client.close();
    took.sort((a, b) => a - b);
    const at = (share: number) => took[Math.floor((took.length - 1) * share)];
    return `| ${count} revocations of ${DEVICES} subscriptions each, ${NODES} nodes on Redis with ${CONNECTIONS.toLocaleString('en')} connections each: \`took_ms\` | p50 ${at(0.5)}, p99 ${at(0.99)} |`;
  } finally {
    await machine.stop();
  }
}

/** Takes back all at once. */
async function many(action: 'end' | 'disconnect'): Promise<string> {
  const machine = await Machine.start({ name: 'one broker' });
  try {
    const channels = Array.from({ length: MANY.channels }, (_, n) => `private-${n}`);
    const [port = 0] = machine.ports;
    const clients = await open(MANY.connections, () => new Client(port, channels));
    const [before, cpuBefore] = [performance.now(), machine.cpu()];
    const answer = await backendAt(port).revoke({ target: { channelPrefix: 'private-' }, action });
    await Promise.all(clients.map(({ ended }) => ended));
    const [told, cpu] = [performance.now() - before, machine.cpu().brokers - cpuBefore.brokers];
    const count = answer.ended.subscriptions.toLocaleString('en');
    return `| \`${action}\` of ${count} subscriptions of ${MANY.connections.toLocaleString('en')} connections at once, one process: \`took_ms\`; all are told, ms; CPU ms | ${answer.took_ms}; ${told.toFixed(0)}; ${(cpu * 1000).toFixed(0)} |`;
  } finally {
    await machine.stop();
  }
}

const rows = [await users(), await many('end'), await many('disconnect')];
const text = `Node ${process.version}.

| figure | |
| --- | --- |
${rows.join('\n')}`;
console.log(text);
if (process.argv.includes('--write')) {
  writeFileSync(PAGE, replaceBetween(readFileSync(PAGE, 'utf8'), 'revocation', text));
}
