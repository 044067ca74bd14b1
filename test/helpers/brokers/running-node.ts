import { onTestFinished } from 'vitest';
import { NODE_TIMEOUT_SECONDS } from '../redis/node-timeout.ts';
import { Cli } from './cli.ts';
import { APP } from './server.ts';

/** All that `/ready` tells anybody about a Redis that cannot be reached. */
export const OUT_OF_REACH = 'What the nodes share is out of reach: the log says why';

/** Settings of a broker process, beside those of every test. */
export interface NodeSettings {
  /** Port of Redis, or of what leads to it. */
  readonly redisPort: number;
  readonly prefix?: string;
  readonly port?: number;
  readonly app?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
}

/** A broker process that is one node of several. */
export class RunningNode {
  readonly host = '127.0.0.1';

  private constructor(
    readonly cli: Cli,
    readonly port: number,
  ) {}

  /** Starts `countersign start`; whoever starts it kills it. */
  static async start({
    redisPort,
    prefix = 'test',
    port = 0,
    app,
    limits,
  }: NodeSettings): Promise<RunningNode> {
    const apps = [
      { id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], limits: { ...limits }, ...app },
    ];
    const cli = new Cli(['start', '--port', String(port)], {
      env: {
        COUNTERSIGN_APPS: JSON.stringify(apps),
        COUNTERSIGN_REDIS__URL: `redis://127.0.0.1:${redisPort}`,
        COUNTERSIGN_REDIS__PREFIX: prefix,
        COUNTERSIGN_NODE_TIMEOUT_SECONDS: String(NODE_TIMEOUT_SECONDS),
        COUNTERSIGN_WEBHOOK_GRACE_SECONDS: '0',
        COUNTERSIGN_DRAIN_WINDOW_SECONDS: '0',
      },
    });
    try {
      const { port: taken } = await cli.logged('listening');
      return new RunningNode(cli, Number(taken));
    } catch (error) {
      await cli.kill();
      throw error;
    }
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  async ready(): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.url}/ready`);
    return { status: response.status, body: await response.json() };
  }
}

/** Starts a node that is killed at the end of the test, if it still runs. */
export async function startNode(settings: NodeSettings): Promise<RunningNode> {
  const node = await RunningNode.start(settings);
  onTestFinished(() => node.cli.kill());
  return node;
}
