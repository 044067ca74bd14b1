import type { Roster } from '../../adapter/adapter.ts';
import { connectRedis } from '../../redis/connect.ts';
import { ReconnectingClient, reasonOf } from '../../redis/reconnecting-client.ts';
import { ScriptRunner } from '../../redis/script-runner.ts';
import type { RedisSettings } from '../../redis/settings.ts';
import { withTimeout } from '../../redis/timeout.ts';
import type { WebhookControl } from '../control.ts';
import type { KeptBytes } from '../outbox/outbox.ts';
import type { Webhooks, WebhooksParts } from '../webhooks.ts';
import { JournalWriter } from './journal-writer.ts';
import { LeaderElection } from './leader-election.ts';
import { LeaderRpc } from './leader-rpc.ts';
import { controlOf } from './leader-rpc-messages.ts';
import { LeaderTerm } from './leader-term.ts';
import { RosterPresence } from './roster-presence.ts';
import { VACANT } from './scripts.ts';

export interface ClusterWebhooksParts extends Omit<WebhooksParts, 'outbox' | 'presence'> {
  readonly redis: RedisSettings;
  readonly roster: Roster;
}

/** Timeout of a Redis command: milliseconds, or a fraction of `nodeTimeoutSeconds` if that is less. */
const COMMAND_TIMEOUT_MS = 2000;
const COMMAND_TIMEOUT = 0.15;
/** Silence for this fraction of `nodeTimeoutSeconds` means that messages no longer arrive: the leader renews more often. */
const SILENCE = 0.6;

/**
 * Webhooks of a cluster. Each node writes its events to a journal in Redis. One node, the leader, reads the journal, keeps
 * the outbox and delivers. The other nodes forward requests about webhooks to the leader.
 */
export class ClusterWebhooks {
  readonly journal: JournalWriter;
  /** Forwards requests to the leader. */
  readonly control: WebhookControl;
  readonly #key: string;
  readonly #commandTimeoutMs: number;
  readonly #commandLink: ReconnectingClient;
  readonly #messageLink: ReconnectingClient;
  readonly #rpc: LeaderRpc;
  readonly #election: LeaderElection;
  readonly #listening: NodeJS.Timeout;
  #heardAt = performance.now();
  #started = false;

  private constructor({ redis, roster, ...parts }: ClusterWebhooksParts) {
    const { config, log } = parts;
    const timeoutMs = config.nodeTimeoutSeconds * 1000;
    this.#key = `${redis.prefix}:{webhooks}`;
    this.#commandTimeoutMs = Math.min(COMMAND_TIMEOUT_MS, timeoutMs * COMMAND_TIMEOUT);
    const link = { connect: (name: string) => connectRedis(redis, name, COMMAND_TIMEOUT_MS), log };
    this.#commandLink = new ReconnectingClient({ ...link, name: 'webhooks', onOpen: () => this.#opened() });
    this.#messageLink = new ReconnectingClient({
      ...link,
      name: 'webhook messages',
      onOpen: () => void this.#subscribe(),
    });
    const commands = new ScriptRunner(this.#commandLink, this.#commandTimeoutMs);
    const shared = { ...parts, commands, key: this.#key };
    const presence = new RosterPresence(roster, parts.apps);
    this.journal = new JournalWriter(shared);
    this.#rpc = new LeaderRpc(commands, this.#key, log);
    this.control = controlOf((request, schema) => this.#rpc.ask(request, schema));
    this.#election = new LeaderElection({
      ...shared,
      timeoutMs,
      lost: (reason) => this.#commandLink.fail(reason),
      begin: (leadership, onFailure) => LeaderTerm.begin({ ...shared, presence, leadership, onFailure }),
    });
    this.#listening = setInterval(() => this.#expectNews(timeoutMs * SILENCE), timeoutMs * SILENCE).unref();
  }

  /** Connects to Redis, and keeps trying if that fails. */
  static async open(parts: ClusterWebhooksParts): Promise<ClusterWebhooks> {
    const webhooks = new ClusterWebhooks(parts);
    await Promise.all([webhooks.#commandLink.start(), webhooks.#messageLink.start()]);
    return webhooks;
  }

  /** Its connections. */
  get links(): readonly ReconnectingClient[] {
    return [this.#commandLink, this.#messageLink];
  }

  /** Whether this node is the leader. */
  get isLeader(): boolean {
    return this.#election.term !== undefined;
  }

  /** Number of unread journal entries at the last renewal of the lease; 0 if another node is the leader. */
  get journalEntries(): number {
    return this.isLeader ? this.#election.journalEntries : 0;
  }

  /** Why webhooks cannot reach Redis; `undefined` if they can. */
  get fault(): string | undefined {
    return this.#commandLink.fault ?? this.#messageLink.fault;
  }

  /** Begins to take part in the leader election. */
  start(): void {
    this.#started = true;
    this.#election.start();
  }

  /** Applies the hooks of a reload. */
  reload(): void {
    this.#election.term?.webhooks.reload();
  }

  /**
   * Another node becomes the leader, and clients that leave from now on have `webhookRestartGraceSeconds` to come back to
   * another node.
   */
  handOver(): void {
    this.journal.handOver();
    void this.#election.resign();
  }

  /** Nothing to deliver here: the other nodes do. */
  async drain(): Promise<void> {}

  /** Ends, and leaves the remaining work to other nodes. */
  async close(): Promise<void> {
    clearInterval(this.#listening);
    await this.journal.close();
    await this.#election.resign();
    this.#messageLink.close();
    this.#commandLink.close();
  }

  /** Deliveries of the cluster by state, by app id; none if another node is the leader. */
  countDeliveries(): ReturnType<Webhooks['countDeliveries']> {
    return this.#election.term?.webhooks.countDeliveries() ?? new Map();
  }

  /** Bytes that an app has in the outbox; `undefined` if another node is the leader. */
  keptBytes(appId: string): KeptBytes | undefined {
    return this.#election.term?.webhooks.keptBytes(appId);
  }

  #opened(): void {
    if (this.#started) this.#election.acquire();
  }

  async #subscribe(): Promise<void> {
    const link = this.#messageLink;
    // The silence of an earlier connection says nothing about this one.
    this.#heardAt = performance.now();
    try {
      const { client } = link;
      const listen = async (): Promise<void> => {
        await client.sSubscribe(this.#key, (message) => this.#hear(message));
        await client.sSubscribe(this.#key + this.#rpc.ownChannel, (json) => this.#rpc.take(json));
      };
      await withTimeout(this.#commandTimeoutMs, listen());
      this.#heardAt = performance.now();
    } catch (error) {
      link.fail(reasonOf(error));
    }
  }

  /** @param message a request to the leader; '' if the journal may have new entries; {@link VACANT} */
  #hear(message: string): void {
    this.#heardAt = performance.now();
    const term = this.#election.term;
    if (message === '') term?.wake();
    else if (message === VACANT) this.#election.acquire();
    else if (term) void this.#rpc.serve(message, term.webhooks.control);
  }

  #expectNews(mostMs: number): void {
    if (!this.#started || this.#commandLink.fault || this.#messageLink.fault) return;
    if (performance.now() - this.#heardAt > mostMs) this.#messageLink.fail('No messages arrive from Redis');
  }
}
