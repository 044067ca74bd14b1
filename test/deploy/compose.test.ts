/** The services of Compose, and the proxy in front of two of them. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { parseConfig } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { hasProgram, ROOT } from './programs.ts';

interface Service {
  readonly profiles: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly configs?: readonly { readonly source: string }[];
  readonly environment?: Readonly<Record<string, string>>;
}

const text = readFileSync(`${ROOT}deploy/compose.yaml`, 'utf8');
const compose = parse(text, { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
};
const namesOf = (profile: string) =>
  Object.entries(compose.services).flatMap(([name, { profiles }]) =>
    profiles.includes(profile) ? [name] : [],
  );

test('one profile is one broker, the other two of them with Redis and a proxy', () => {
  expect(namesOf('single')).toEqual(['broker']);
  expect(namesOf('cluster')).toEqual(['broker-1', 'broker-2', 'redis', 'proxy']);
});

describe.each(['broker', 'broker-1', 'broker-2'])('the service %s', (name) => {
  const service = compose.services[name]!;

  test('is confined, and has more time to stop than the broker takes', () => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    expect(Number.parseInt(service.stop_grace_period!, 10)).toBeGreaterThan(
      parseConfig({}).drainTimeoutSeconds,
    );
  });

  test('is built from the Dockerfile, and sets what the broker knows', () => {
    const { context, dockerfile } = service.build!;
    expect(existsSync(`${ROOT}deploy/${context}/${dockerfile}`)).toBe(true);
    const known = readFileSync(`${ROOT}docs/configuration.md`, 'utf8');
    for (const variable of Object.keys(service.environment!)) expect(known).toContain(`| \`${variable}\` |`);
  });

  test('names configurations that there are', () => {
    for (const { source } of service.configs!) expect(compose.configs).toHaveProperty(source);
  });
});

test.skipIf(!hasProgram('haproxy'))('haproxy accepts the configuration of the proxy', async () => {
  await promisify(execFile)('haproxy', ['-c', '-f', `${ROOT}deploy/haproxy.cfg`]);
});
