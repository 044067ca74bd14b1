/** The rotation of a key as docs/rotate-a-key.md describes it, with the official client and the official server library. */
import type { Broker } from '@countersign/server';
import express from 'express';
import PusherServer from 'pusher';
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, vi } from 'vitest';
import { request } from '../helpers/api.ts';
import { startBackend } from '../helpers/brokers/backend.ts';
import { startReceiver, type WebhookReceiver } from '../helpers/brokers/receiver.ts';
import { RENEWAL_SECRET, type RenewalRequest, renewing } from '../helpers/brokers/renewing-backend.ts';
import { APP, type Credentials, configOf, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join, type Pusher } from '../helpers/clients/official.ts';
import { eventually } from '../helpers/eventually.ts';
import { keepPromises } from '../helpers/promises.ts';

vi.setConfig({ testTimeout: 90_000 });

const OLD: Credentials = { id: APP.id, key: 'key-2026', secret: 'the-secret-of-the-first-of-two-keys' };
const NEW: Credentials = { id: APP.id, key: 'key-2027', secret: 'the-secret-of-the-second-of-two-keys' };
const MAX_SECONDS = 2;
const CHANNELS = ['private-team', 'presence-team'] as const;
/** The customer publishes as fast as the machine can. */
const limits = { httpRequestsPerSecond: null };

const keyOf = ({ key, secret }: Credentials, state = 'active') => ({ key, secret, state });
const PAGE = { key: 'page' };

function libraryFor({ host, port }: Pick<Broker, 'host' | 'port'>, { id, key, secret }: Credentials) {
  return new PusherServer({ appId: id, key, secret, host, port: String(port), useTLS: false });
}

/** A customer with one of the two keys: its backend, the receiver of its webhooks, and what it publishes all the time. */
class Customer {
  readonly broker: Broker;
  readonly backend: string;
  readonly receiver: WebhookReceiver;
  readonly refused: unknown[] = [];
  published = 0;
  #publishers: readonly PusherServer[] = [];
  /** What signs grants. */
  signer: PusherServer;
  #isOver = false;
  readonly #publishing: Promise<void>;

  private constructor(broker: Broker, backend: string, receiver: WebhookReceiver, signer: PusherServer) {
    this.broker = broker;
    this.backend = backend;
    this.receiver = receiver;
    this.signer = signer;
    this.#publishers = [signer];
    this.#publishing = this.#publish();
    onTestFinished(async () => {
      await this.end();
    });
  }

  static async start(): Promise<Customer> {
    let customer: Customer | undefined;
    const receiver = await startReceiver();
    const grant = (socketId: string, channel: string) => {
      const member = channel.startsWith('presence-') ? { user_id: 'ann' } : undefined;
      return customer?.signer.authorizeChannel(socketId, channel, member);
    };
    const backend = await startBackend((app) => {
      app.post('/auth', express.urlencoded(), (req, res) => {
        res.send(grant(req.body.socket_id, req.body.channel_name));
      });
      app.post('/renew', express.raw({ type: () => true }), (req, res) => {
        const headers = req.headers as Record<string, string>;
        const { grants } = new Webhook(RENEWAL_SECRET).verify(req.body.toString(), headers) as RenewalRequest;
        const answers = grants.map(({ socket_id, channel = '' }) => ({
          status: 200,
          ...grant(socket_id, channel),
        }));
        res.json({ grants: answers });
      });
    });
    // A busy machine may be late, which is not what this is about.
    const { grants } = renewing(`${backend}/renew`, { graceSeconds: 60 });
    const broker = await startServer({
      app: {
        keys: [keyOf(OLD)],
        limits,
        grants: { ...grants, maxSeconds: MAX_SECONDS },
        webhooks: [{ url: receiver.url(), events: ['channel_occupied'] }],
      },
    });
    customer = new Customer(broker, backend, receiver, libraryFor(broker, OLD));
    return customer;
  }

  /** The keys of the configuration from now on. */
  reload(...keys: readonly object[]): void {
    const { grants } = renewing(`${this.backend}/renew`, { graceSeconds: 60 });
    const webhooks = [{ url: this.receiver.url(), events: ['channel_occupied'] }];
    this.broker.reload(
      configOf({ app: { keys, limits, grants: { ...grants, maxSeconds: MAX_SECONDS }, webhooks } }).apps,
    );
  }

  /** The backends that publish from now on; the first one signs grants. */
  deploy(...keys: readonly [Credentials, ...Credentials[]]): void {
    const [signer, ...others] = keys.map((key) => libraryFor(this.broker, key));
    this.signer = signer!;
    this.#publishers = [signer!, ...others];
  }

  /** Waits until as many events more have been published. */
  async more(events = 10): Promise<void> {
    const target = this.published + events;
    await eventually(() => expect(this.published).toBeGreaterThanOrEqual(target), 60_000);
  }

  /** Stops to publish; answers how many events there were. */
  async end(): Promise<number> {
    this.#isOver = true;
    await this.#publishing;
    return this.published;
  }

  async #publish(): Promise<void> {
    while (!this.#isOver) {
      for (const library of this.#publishers) {
        const n = this.published;
        await library.trigger([...CHANNELS], 'tick', n).catch((error: unknown) => this.refused.push(error));
        this.published += 1;
      }
    }
  }

  /** When the old key was used last, as the new key is told. */
  async usesOfOld(): Promise<Readonly<Record<string, number | null>>> {
    const { body } = await request(this.broker, 'GET', '/keys', { app: NEW });
    const { keys } = body as { keys: { key: string; last_used_at: Record<string, number | null> }[] };
    return keys.find(({ key }) => key === OLD.key)?.last_used_at ?? {};
  }
}

/** The seven steps. */
async function rotate(customer: Customer, atEachStep: () => Promise<void> = async () => {}): Promise<void> {
  const step = async () => {
    await customer.more();
    await atEachStep();
  };
  await step();
  customer.reload(keyOf(OLD), keyOf(NEW), PAGE);
  await step();
  customer.deploy(NEW, OLD);
  await step();
  customer.deploy(NEW);
  await step();
  customer.reload(keyOf(OLD, 'accepted'), keyOf(NEW), PAGE);
  await step();
  await libraryFor(customer.broker, NEW).trigger('maintenance', 'key', { key: PAGE.key });
  await eventually(async () => {
    const last = Math.max(...Object.values(await customer.usesOfOld()).map((at) => at ?? 0));
    expect(Date.now() / 1000 - last).toBeGreaterThan(MAX_SECONDS + 1);
  }, 60_000);
  customer.reload(keyOf(OLD, 'revoked'), keyOf(NEW), PAGE);
  await step();
}

/** A page with a stock client, and what happened to it. */
async function openPage(customer: Customer, key: string) {
  const client: Pusher = await connectPusher(customer.broker, { backend: customer.backend, key });
  const states: string[] = [];
  const errors: unknown[] = [];
  client.connection.bind('state_change', ({ current }: { current: string }) => states.push(current));
  client.connection.bind('error', (error: unknown) => errors.push(error));
  client.bind_global((event: string, data: unknown) => {
    if (event === 'pusher:subscription_error') errors.push(data);
  });
  return { client, states, errors };
}

keepPromises('rotate-a-key.md', {
  'No page that names a client key is disconnected, no event is missed, and no publish is refused':
    async () => {
      const customer = await Customer.start();
      customer.reload(keyOf(OLD), PAGE);
      const { client, states, errors } = await openPage(customer, PAGE.key);
      const ticks = new Map<string, number[]>();
      for (const name of CHANNELS) {
        const heard: number[] = [];
        ticks.set(name, heard);
        (await join(client, name)).bind('tick', (n: number) => heard.push(n));
      }
      const socketId = client.connection.socket_id;
      await customer.more();
      await rotate(customer);
      const published = await customer.end();
      for (const heard of ticks.values()) {
        await eventually(() => expect(heard.at(-1)).toBe(published - 1));
        expect(heard).toEqual(Array.from(heard, (_, index) => heard[0]! + index));
      }
      expect([states, errors, customer.refused]).toEqual([[], [], []]);
      expect(client.connection.socket_id).toBe(socketId);
    },

  'A page that names a signing key moves without an error': async () => {
    const customer = await Customer.start();
    const { client, states, errors } = await openPage(customer, OLD.key);
    const move = ({ key }: { key: string }) => client.switchCluster({ appKey: key, cluster: '' });
    (await join(client, 'maintenance')).bind('key', move);
    const channel = await join(client, CHANNELS[0]);
    await rotate(customer);
    const ticks = listen<number>(channel, 'tick');
    const now = customer.published;
    await ticks.until((n) => n >= now);
    expect([states, errors, customer.refused]).toEqual([['connecting', 'connected'], [], []]);
  },

  'A receiver that knows both keys accepts every webhook': async () => {
    const customer = await Customer.start();
    const receiver = libraryFor(customer.broker, OLD);
    let rooms = 0;
    const signers: unknown[] = [];
    await rotate(customer, async () => {
      rooms += 1;
      const client = await connect(customer.broker, rooms === 1 ? OLD : NEW);
      await client.join(`room-${rooms}`);
      const { headers, rawBody } = await customer.receiver.next();
      expect(rawBody).toContain(`room-${rooms}`);
      expect(receiver.webhook({ headers, rawBody }).isValid([NEW])).toBe(true);
      signers.push(headers['x-pusher-key']);
    });
    expect(signers).toEqual([OLD.key, OLD.key, OLD.key, OLD.key, NEW.key, NEW.key]);
  },
});
