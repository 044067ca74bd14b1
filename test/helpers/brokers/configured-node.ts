import { onTestFinished } from 'vitest';
import { type Cli, type CliOptions, startCli } from './cli.ts';
import { fileWith } from './config-file.ts';
import { APP } from './server.ts';

/** What `/ready` says. */
interface Readiness {
  readonly status: string;
  readonly reason?: string;
}

/** A broker process that is one node of several. */
export interface ConfiguredNode {
  readonly cli: Cli;
  readonly host: string;
  readonly port: number;
  readonly url: string;
  ready(): Promise<Readiness>;
}

/** Settings of the process, and of its app. */
export interface ConfiguredNodeOptions extends CliOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly app?: Readonly<Record<string, unknown>>;
}

/**
 * Starts `countersign start` with this place of Redis; it is killed at the end of the test.
 *
 * @param redis as in its configuration
 */
export async function startNodeOn(
  redis: object,
  { config, app, ...options }: ConfiguredNodeOptions = {},
): Promise<ConfiguredNode> {
  const file = await fileWith({
    port: 0,
    redis,
    drainWindowSeconds: 0,
    webhookGraceSeconds: 0,
    ...config,
    apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], ...app }],
  });
  const cli = startCli(['start', '--config', file], options);
  const { port } = await cli.logged('listening');
  const host = '127.0.0.1';
  const url = `http://${host}:${port}`;
  return {
    cli,
    host,
    port: Number(port),
    url,
    ready: async () => (await fetch(`${url}/ready`)).json() as Promise<Readiness>,
  };
}

/** Follows what a node says of itself until the test ends: each word that differs from the one before. */
export function followReadiness(node: ConfiguredNode): readonly string[] {
  const said: string[] = [];
  const timer = setInterval(async () => {
    const { status } = await node.ready().catch(() => ({ status: 'silent' }));
    if (status !== said.at(-1)) said.push(status);
  }, 20);
  onTestFinished(() => clearInterval(timer));
  return said;
}
