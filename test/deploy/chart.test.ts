/** The Helm chart: its values and their schema, and what helm renders of it. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { newFolder } from '../helpers/folder.ts';
import { hasProgram, ROOT } from './programs.ts';

const run = promisify(execFile);
const CHART = `${ROOT}deploy/helm/countersign`;
const values = parse(readFileSync(`${CHART}/values.yaml`, 'utf8'));
const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8'));

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the kind
  readonly spec: any;
  readonly stringData?: Readonly<Record<string, string>>;
}

/** What helm renders for, since it asks no cluster. */
const KUBERNETES = ['--kube-version', '1.31.0'];
const apps = [{ id: '1', keys: [{ key: 'key-1', secret: 'kT3v0pWzq8kT3v0pWzq8' }] }];
const single = { config: { apps } };
const cluster = { replicas: 3, config: { apps, redis: { url: 'redis://redis:6379' } } };

async function render(own: object): Promise<Map<string, Manifest>> {
  const file = join(newFolder(), 'values.json');
  writeFileSync(file, JSON.stringify(own));
  const { stdout } = await run('helm', ['template', 'live', CHART, ...KUBERNETES, '--values', file]);
  const documents = parseAllDocuments(stdout).map((each) => each.toJS() as Manifest | null);
  return new Map(documents.flatMap((each) => (each ? [[`${each.kind} ${each.metadata.name}`, each]] : [])));
}

test('the chart has the version of the broker', () => {
  const { version } = JSON.parse(readFileSync(`${ROOT}server/package.json`, 'utf8'));
  expect(parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8'))).toMatchObject({ version, appVersion: version });
});

test('the schema has each value, and refuses others', () => {
  const known = Object.keys(schema.properties);
  expect(known).toEqual(expect.arrayContaining(Object.keys(values)));
  expect(schema.additionalProperties).toBe(false);
  for (const [name, section] of Object.entries(values)) {
    const { properties, additionalProperties } = schema.properties[name];
    if (additionalProperties === false)
      expect(Object.keys(properties).sort()).toEqual(Object.keys(section as object).sort());
  }
});

describe.skipIf(!hasProgram('helm'))('helm', { timeout: 60_000 }, () => {
  test('finds nothing to improve', async () => {
    const file = join(newFolder(), 'values.json');
    writeFileSync(file, JSON.stringify(single));
    await run('helm', ['lint', '--strict', CHART, ...KUBERNETES, '--values', file]);
  });

  test('makes one node that keeps its data on a volume', async () => {
    const manifests = await render(single);
    expect([...manifests.keys()].sort()).toEqual([
      'Deployment live-countersign',
      'NetworkPolicy live-countersign',
      'PersistentVolumeClaim live-countersign',
      'Secret live-countersign',
      'Service live-countersign',
      'Service live-countersign-metrics',
      'ServiceAccount live-countersign',
    ]);
    const { spec } = manifests.get('Deployment live-countersign')!;
    expect(spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(JSON.parse(manifests.get('Secret live-countersign')!.stringData!['countersign.json']!)).toEqual(
      single.config,
    );
  });

  test('confines the container, asks it for its health, and waits longer than it drains', async () => {
    const { spec } = (await render(single)).get('Deployment live-countersign')!;
    const pod = spec.template.spec;
    const [container] = pod.containers;
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/ready', port: 'http' });
    expect(container.livenessProbe.httpGet).toEqual({ path: '/health', port: 'http' });
    const { leaveSeconds, timeoutSeconds } = values.drain;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(leaveSeconds + timeoutSeconds);
    expect(pod.enableServiceLinks).toBe(false);
  });

  test('makes several nodes on Redis that go one by one, and are as many as their connections need', async () => {
    const manifests = await render({
      ...cluster,
      pathPrefix: '/realtime',
      autoscaling: { enabled: true },
      serviceMonitor: { enabled: true },
      ingress: { enabled: true, host: 'channels.example.com', tlsSecret: 'channels-tls' },
    });
    expect(manifests.has('PersistentVolumeClaim live-countersign')).toBe(false);
    expect(manifests.get('Deployment live-countersign')!.spec).not.toHaveProperty('replicas');
    expect(manifests.get('PodDisruptionBudget live-countersign')!.spec.maxUnavailable).toBe(1);
    expect(manifests.get('HorizontalPodAutoscaler live-countersign')!.spec.metrics).toEqual([
      {
        type: 'Pods',
        pods: {
          metric: { name: 'countersign_connections' },
          target: { type: 'AverageValue', averageValue: '20000' },
        },
      },
    ]);
    expect(manifests.get('ServiceMonitor live-countersign')!.spec.endpoints).toEqual([
      { port: 'metrics', path: '/realtime/metrics', interval: '15s' },
    ]);
    const [rule] = manifests.get('Ingress live-countersign')!.spec.rules;
    expect(rule.http.paths.map(({ path }: { path: string }) => path)).toEqual([
      '/realtime/app',
      '/realtime/apps',
    ]);
  });

  test.each<[what: string, own: object, problem: RegExp]>([
    ['no apps', {}, /config\.apps: there is none/],
    ['several nodes without Redis', { ...single, replicas: 2 }, /replicas: more than one node needs/],
    ['a setting of the chart', { config: { apps, port: 7000 } }, /config/],
    ['a value that is none', { ...single, colour: 'red' }, /colour/],
    ['a window longer than the drain', { ...single, drain: { windowSeconds: 90 } }, /drain\.windowSeconds/],
  ])('refuses %s', async (_what, own, problem) => {
    await expect(render(own)).rejects.toMatchObject({ stderr: expect.stringMatching(problem) });
  });
});
