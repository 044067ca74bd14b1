import type { Roster } from '../../adapter/adapter.ts';
import { connectRedis } from '../../redis/connect.ts';
import { ReconnectingClient, reasonOf } from '../../redis/reconnecting-client.ts';
import { ScriptRunner } from '../../redis/script-runner.ts';
import type { RedisSettings } from '../../redis/settings.ts';
import { withTimeout } from '../../redis/timeout.ts';
import type { WebhookControl, Webhooks, WebhooksParts } from '../webhooks.ts';
import { JournalWriter } from './journal-writer.ts';
import { LeaderElection } from './leader-election.ts';
import { LeaderRpc } from './leader-rpc.ts';
import { controlOf } from './leader-rpc-messages.ts';
import { LeaderTerm } from './leader-term.ts';
import { RosterPresence } from './roster-presence.ts';
import { VACANT } from './scripts.ts';

export interface ClusterWebhooksParts extends Omit<WebhooksParts, 'outbox' | 'witness'> {
  readonly redis: RedisSettings;
  readonly roster: Roster;
}

/** Milliseconds that Redis has to answer, or this part of the time after which a dead node must be gone, if less. */
const COMMAND_TIMEOUT_MS = 2000;
const COMMAND_TIMEOUT = 0.15;
/** Silence for this part of that time means that nothing arrives any more: each node is heard of more often. */
const SILENCE = 0.6;

/**
 * Webhooks of many nodes. Each writes what happens to a journal in Redis; one of them, the clerk, reads it, keeps the
 * outbox and delivers. The others ask the clerk what is asked of them.
 */
export class ClusterWebhooks {
  readonly journal: JournalWriter;
  /** Asks the clerk, whichever node that is. */
  readonly control: WebhookControl;
  readonly #key: string;
  readonly #commandTimeoutMs: number;
  readonly #commandLink: ReconnectingClient;
  readonly #messageLink: ReconnectingClient;
  readonly #counter: LeaderRpc;
  readonly #clerk: LeaderElection;
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
    const witness = new RosterPresence(roster, parts.apps);
    this.journal = new JournalWriter(shared);
    this.#counter = new LeaderRpc(commands, this.#key, log);
    this.control = controlOf(this.#counter);
    this.#clerk = new LeaderElection({
      ...shared,
      timeoutMs,
      lost: (reason) => this.#commandLink.fail(reason),
      begin: (tenure, onFailure) => LeaderTerm.begin({ ...shared, witness, tenure, onFailure }),
    });
    this.#listening = setInterval(() => this.#expectNews(timeoutMs * SILENCE), timeoutMs * SILENCE).unref();
  }

  /** Connects; where that does not succeed at once, it goes on trying. */
  static async open(parts: ClusterWebhooksParts): Promise<ClusterWebhooks> {
    const webhooks = new ClusterWebhooks(parts);
    await Promise.all([webhooks.#commandLink.start(), webhooks.#messageLink.start()]);
    return webhooks;
  }

  /** Its connections. */
  get links(): readonly ReconnectingClient[] {
    return [this.#commandLink, this.#messageLink];
  }

  /** Whether this node is the clerk. */
  get isLeader(): boolean {
    return this.#clerk.term !== undefined;
  }

  /** Entries of the journal that the clerk has not taken, a moment ago: 0 if this node is not the clerk. */
  get journalEntries(): number {
    return this.isLeader ? this.#clerk.journalEntries : 0;
  }

  /** Why nothing can be written or asked at present; `undefined`: it can. */
  get fault(): string | undefined {
    return this.#commandLink.fault ?? this.#messageLink.fault;
  }

  /** Stands ready to be the clerk. */
  start(): void {
    this.#started = true;
    this.#clerk.start();
  }

  /** Takes over the hooks that a reload brought. */
  reload(): void {
    this.#clerk.term?.webhooks.reload();
  }

  /**
   * Another node becomes the leader, and clients that leave from now on have `webhookRestartGraceSeconds` to come back to
   * another node.
   */
  handOver(): void {
    this.journal.handOver();
    void this.#clerk.resign();
  }

  /** Ends, and leaves the rest to the other nodes, or to those to come. */
  async close(): Promise<void> {
    clearInterval(this.#listening);
    await this.journal.close();
    await this.#clerk.resign();
    this.#messageLink.close();
    this.#commandLink.close();
  }

  /** Deliveries by state, by app id: those of all nodes if this one is the clerk, and none if not. */
  countDeliveries(): ReturnType<Webhooks['countDeliveries']> {
    return this.#clerk.term?.webhooks.countDeliveries() ?? new Map();
  }

  #opened(): void {
    if (this.#started) this.#clerk.acquire();
  }

  async #subscribe(): Promise<void> {
    const link = this.#messageLink;
    try {
      const { client } = link;
      const listen = async (): Promise<void> => {
        await client.sSubscribe(this.#key, (message) => this.#hear(message));
        await client.sSubscribe(this.#key + this.#counter.ownChannel, (json) => this.#counter.take(json));
      };
      await withTimeout(this.#commandTimeoutMs, listen());
      this.#heardAt = performance.now();
    } catch (error) {
      link.fail(reasonOf(error));
    }
  }

  /** @param message what the clerk is asked; '' if there may be something new in the journal */
  #hear(message: string): void {
    this.#heardAt = performance.now();
    const term = this.#clerk.term;
    if (message === '') term?.wake();
    else if (message === VACANT) this.#clerk.acquire();
    else if (term) void this.#counter.serve(message, term.webhooks);
  }

  #expectNews(mostMs: number): void {
    if (!this.#started || this.#commandLink.fault || this.#messageLink.fault) return;
    if (performance.now() - this.#heardAt > mostMs) this.#messageLink.fail('No messages arrive from Redis');
  }
}
