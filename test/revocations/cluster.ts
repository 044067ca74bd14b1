/** Three broker processes on one Redis, which can be paused, killed and given other keys. */
import { writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { request } from '../helpers/api.ts';
import { type Cli, startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { APP, type Credentials } from '../helpers/brokers/server.ts';
import { eventually } from '../helpers/eventually.ts';

const NODES = 3;
const SECRET = 'a-secret-of-thirty-two-characters';

interface Key extends Credentials {
  readonly state: 'active' | 'accepted' | 'revoked';
}

/** A broker process, in one of the places of the cluster. */
export interface ClusterNode {
  readonly place: number;
  readonly url: string;
  readonly cli: Cli;
  isPaused: boolean;
  /** Whether it was paused at some time, so that it may have been late. */
  wasPaused: boolean;
  isDead: boolean;
}

/** The nodes, and the keys of their app. */
export class Cluster {
  readonly nodes: ClusterNode[] = [];
  readonly #redisUrl: string;
  readonly #prefix: string;
  #file = '';
  /** The first one, which no test changes, signs requests; the last one signs grants. */
  #keys: readonly Key[] = [{ ...APP, secret: SECRET, state: 'active' }];

  private constructor(redisUrl: string, prefix: string) {
    this.#redisUrl = redisUrl;
    this.#prefix = prefix;
  }

  static async start(redisUrl: string, prefix: string): Promise<Cluster> {
    const cluster = new Cluster(redisUrl, prefix);
    cluster.#addKey();
    cluster.#file = await fileWith(cluster.#config);
    await Promise.all(Array.from({ length: NODES }, (_, place) => cluster.#startNode(place)));
    return cluster;
  }

  /** Signs requests. */
  get app(): Credentials {
    return this.#keys[0]!;
  }

  /** Signs grants. */
  get signer(): Credentials {
    return this.#keys.at(-1)!;
  }

  /** The first node from a place on that runs. */
  running(place: number): ClusterNode {
    const inOrder = this.nodes.map((_, step) => this.nodes[(place + step) % NODES]!);
    return inOrder.find(({ isPaused }) => !isPaused)!;
  }

  pause(node: ClusterNode): void {
    node.isPaused = node.wasPaused = true;
    node.cli.signal('SIGSTOP');
  }

  resumeAll(): void {
    for (const node of this.nodes) {
      if (node.isPaused) node.cli.signal('SIGCONT');
      node.isPaused = false;
    }
  }

  /** Kills a node, and starts another one in its place. */
  async replace(node: ClusterNode): Promise<void> {
    node.isDead = true;
    await node.cli.kill();
    await this.#startNode(node.place);
  }

  /** Gives the app another key to sign grants, and the one before it another state, on nodes that all run. */
  async changeKey(state: 'accepted' | 'revoked'): Promise<void> {
    const before = this.signer;
    this.#keys = this.#keys.map((key) => (key === before ? { ...key, state } : key));
    this.#addKey();
    await writeFile(this.#file, JSON.stringify(this.#config));
    for (const { cli } of this.nodes) cli.signal('SIGHUP');
    const { key: last } = this.signer;
    for (const node of this.nodes) {
      await eventually(async () => {
        const { body } = await request(node, 'GET', '/keys', { app: this.app });
        const keys = (body as { keys: { key: string; state: string }[] }).keys;
        expect(keys).toContainEqual(expect.objectContaining({ key: last }));
        expect(keys).toContainEqual(expect.objectContaining({ key: before.key, state }));
      });
    }
  }

  #addKey(): void {
    const key = { id: APP.id, key: `signer-${this.#keys.length}`, secret: SECRET, state: 'active' } as const;
    this.#keys = [...this.#keys, key];
  }

  get #config(): object {
    return {
      port: 0,
      redis: { url: this.#redisUrl, prefix: this.#prefix },
      drainWindowSeconds: 0,
      apps: [
        {
          id: APP.id,
          keys: this.#keys.map(({ key, secret, state }) => ({ key, secret, state })),
          limits: { httpRequestsPerSecond: null },
        },
      ],
    };
  }

  async #startNode(place: number): Promise<void> {
    const cli = startCli(['start', '--config', this.#file]);
    const { port } = await cli.logged('listening');
    const url = `http://127.0.0.1:${port}`;
    this.nodes[place] = { place, url, cli, isPaused: false, wasPaused: false, isDead: false };
  }
}
