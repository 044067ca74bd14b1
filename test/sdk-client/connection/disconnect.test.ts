import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../helpers/clients/client-clock.ts';
import { nextEvent, startClient } from '../../helpers/clients/client-start.ts';
import { startEndpoint } from '../../helpers/clients/fake-endpoint.ts';
import { stillClient } from '../../helpers/clients/still-client.ts';

describe('disconnect', () => {
  test('closes the socket and ends every timer', async () => {
    const { clock, client, peer } = await stillClient();
    client.subscribe('news');
    const disconnected = nextEvent(client.connection, 'disconnected');
    client.disconnect();
    await disconnected;
    expect(await peer.closed()).toBe(1000);
    expect(clock.pending).toBe(0);
    expect(client.connection.state).toBe('disconnected');
    expect(client.connection.socket_id).toBeUndefined();
  });

  test('while waiting for the next try, ends the trying', async () => {
    const { clock, client, peer } = await stillClient();
    const lost = nextEvent(client.connection, 'connecting');
    peer.socket.terminate();
    await lost;
    client.disconnect();
    expect(clock.pending).toBe(0);
  });

  test('connect begins anew', async () => {
    const { endpoint, clock, client } = await stillClient();
    client.disconnect();
    const connected = nextEvent(client.connection, 'connected');
    client.connect();
    client.connect();
    clock.advance(0);
    await endpoint.welcome('5.6');
    expect(await connected).toEqual({ socket_id: '5.6' });
  });

  test('lets a Node process end', async () => {
    const endpoint = await startEndpoint();
    const program = `
      import { Countersign } from '@countersign/sdk-client';
      const client = new Countersign('key-1', { host: '127.0.0.1', port: ${endpoint.port}, forceTLS: false });
      client.subscribe('news');
      client.connection.bind('connected', () => client.disconnect());
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: import.meta.dirname,
      stdio: 'inherit',
      timeout: 10_000,
    });
    const exit = once(child, 'exit');
    await endpoint.welcome();
    expect(await exit).toEqual([0, null]);
  });

  test('inside a listener, it is obeyed', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock });
    client.connection.bind('connected', () => client.disconnect());
    clock.advance(0);
    const peer = await endpoint.welcome();
    await peer.closed();
    expect(clock.pending).toBe(0);
  });
});
