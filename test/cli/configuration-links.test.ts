/** Variables of Kubernetes and Docker that look like settings. */
import { loadConfig } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { startCli } from '../helpers/brokers/cli.ts';
import { APP } from '../helpers/brokers/server.ts';

/** What a Service called `countersign` with a port called `http` puts into each container of its namespace. */
const KUBERNETES = {
  COUNTERSIGN_SERVICE_HOST: '10.96.14.2',
  COUNTERSIGN_SERVICE_PORT: '6001',
  COUNTERSIGN_SERVICE_PORT_HTTP: '6001',
  COUNTERSIGN_PORT: 'tcp://10.96.14.2:6001',
  COUNTERSIGN_PORT_6001_TCP: 'tcp://10.96.14.2:6001',
  COUNTERSIGN_PORT_6001_TCP_PROTO: 'tcp',
  COUNTERSIGN_PORT_6001_TCP_PORT: '6001',
  COUNTERSIGN_PORT_6001_TCP_ADDR: '10.96.14.2',
};
/** The same for one called `countersign-redis`, with IPv6. */
const KUBERNETES_OTHER = {
  COUNTERSIGN_REDIS_SERVICE_HOST: 'fd00:10:96::2',
  COUNTERSIGN_REDIS_SERVICE_PORT: '6379',
  COUNTERSIGN_REDIS_PORT: 'tcp://[fd00:10:96::2]:6379',
  COUNTERSIGN_REDIS_PORT_6379_TCP_ADDR: 'fd00:10:96::2',
};
/** What `docker run --link web:countersign` does. */
const DOCKER = {
  COUNTERSIGN_NAME: '/proxy/countersign',
  COUNTERSIGN_PORT: 'tcp://172.17.0.5:6001',
  COUNTERSIGN_PORT_6001_TCP_START: 'tcp://172.17.0.5:6001',
  COUNTERSIGN_PORT_6001_TCP_PORT_END: '6003',
  COUNTERSIGN_ENV_NODE_VERSION: '24.1.0',
};

describe('service links', () => {
  test.each([
    ['Kubernetes', KUBERNETES],
    ['another service of Kubernetes', KUBERNETES_OTHER],
    ['Docker', DOCKER],
  ])('of %s are ignored', async (_name, env) => {
    expect(await loadConfig({ base: { port: 7 }, env })).toMatchObject({ port: 7 });
  });

  test('leave a port that is one alone', async () => {
    const env = { ...KUBERNETES, COUNTERSIGN_PORT: '8080' };
    expect(await loadConfig({ env })).toMatchObject({ port: 8080 });
  });

  test.each([
    ['COUNTERSIGN_SERVICE_HOST', 'proxy'],
    ['COUNTERSIGN_SERVICE_PORTS', '6001'],
    ['COUNTERSIGN_SERVICE_PORT', 'http'],
    ['COUNTERSIGN_PORT_HTTP', 'tcp://10.96.14.2:6001'],
    ['COUNTERSIGN_PORT_6001_TCP_ADDR', 'nowhere'],
    ['COUNTERSIGN_NAME', 'countersign'],
    ['COUNTERSIGN_ENV', 'production'],
  ])('%s=%s is none', async (name, value) => {
    await expect(loadConfig({ env: { [name]: value } })).rejects.toThrow(`${name}: no such setting`);
  });

  test.each([
    ['COUNTERSIGN_PORT', 'tcp:6001', 'port: got "tcp:6001" from COUNTERSIGN_PORT, expected a whole number'],
    ['COUNTERSIGN_METRICS__PORT', 'tcp://10.0.0.1:1', 'metrics.port: got "tcp://10.0.0.1:1" from'],
  ])('a setting that looks like one is refused: %s=%s', async (name, value, problem) => {
    await expect(loadConfig({ env: { [name]: value } })).rejects.toThrow(problem);
  });

  test('are named in the log of a broker, which starts', async () => {
    const apps = JSON.stringify([{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }]);
    const cli = startCli(['start', '--port', '0'], { env: { ...KUBERNETES, COUNTERSIGN_APPS: apps } });
    await cli.logged('listening');
    expect(await cli.logged('variables of service links ignored')).toMatchObject({
      variables: expect.arrayContaining(Object.keys(KUBERNETES)),
    });
  });
});
