import { Countersign, type CountersignError, type CountersignOptions } from '@countersign/sdk-client';
import { describe, expect, test } from 'vitest';
import { nextEvent } from '../../helpers/clients/client-start.ts';
import { stillClient } from '../../helpers/clients/still-client.ts';

describe('errors', () => {
  test('a report of the broker leaves the connection open', async () => {
    const { client, peer } = await stillClient();
    const error = nextEvent(client.connection, 'error');
    peer.send('{"event":"pusher:error","data":{"code":4301,"message":"Too many client events"}}');
    expect(await error).toMatchObject({
      type: 'PusherError',
      data: { code: 4301, message: 'Too many client events' },
    });
    expect(client.connection.state).toBe('connected');
  });

  test('a broken frame is reported and skipped', async () => {
    const { client, peer } = await stillClient();
    const error = nextEvent(client.connection, 'error');
    peer.send('{');
    expect(await error).toMatchObject({ type: 'WebSocketError', data: { code: null } });
    expect(client.connection.state).toBe('connected');
  });

  test.each<[string, object, string]>([
    ['no options', undefined as never, 'The option "host" is missing'],
    ['no host', {}, 'The option "host" is missing'],
    ['an unknown option', { host: 'h', cluster: 'eu' }, 'There is no option "cluster": use "host"'],
    [
      'headers for the endpoint elsewhere',
      { host: 'h', auth: { headers: {} } },
      'use "channelAuthorization.headers"',
    ],
    ['a name of Object.prototype', { host: 'h', toString: 1 }, 'There is no option "toString"'],
    [
      'an unknown option inside another',
      { host: 'h', channelAuthorization: { transport: 'ajax' } },
      'There is no option "channelAuthorization.transport"',
    ],
    ['a time of 0', { host: 'h', pongTimeout: 0 }, 'The option "pongTimeout" is a number above 0'],
    [
      'a time that is text',
      { host: 'h', pongTimeout: '5000' },
      'The option "pongTimeout" is a number above 0',
    ],
    ['a time without an end', { host: 'h', pongTimeout: Infinity }, 'The option "pongTimeout" is a number'],
    ['a switch that is text', { host: 'h', forceTLS: 'false' }, 'The option "forceTLS" is a boolean'],
    ['a path without a slash', { host: 'h', path: 'ws' }, 'The option "path" starts with "/"'],
    ['a path with a query', { host: 'h', path: '/ws?a=b' }, 'The option "path" starts with "/"'],
    ['a host with a scheme', { host: 'https://h' }, 'Not a "host" and "port": https://h'],
    ['a host with a path', { host: 'h/ws' }, 'Not a "host" and "port": h/ws'],
    ['a host with a slash', { host: 'h/', port: 6001 }, 'Not a "host" and "port": h/:6001'],
    ['a port twice', { host: 'h:6001', port: 6001 }, 'Not a "host" and "port": h:6001:6001'],
    ['a port twice, with IPv6', { host: '[::1]:6001', port: 6001 }, 'Not a "host" and "port"'],
    ['a user in the host', { host: 'me@h' }, 'Not a "host" and "port": me@h'],
    ['a port that is none', { host: 'h', port: Number.NaN }, 'Not a "host" and "port": h:NaN'],
    ['a port of 0', { host: 'h', port: 0 }, 'Not a "host" and "port": h:0'],
    ['a port that is too high', { host: 'h', port: 65_536 }, 'Not a "host" and "port": h:65536'],
  ])('%s is refused', (_, options, message) => {
    const make = (): Countersign => new Countersign('key-1', options as CountersignOptions);
    expect(make).toThrow(message);
    expect(catching(make).code).toBe('invalid_option');
  });

  test('no key is refused', () => {
    expect(() => new Countersign('', { host: 'h' })).toThrow('The key is missing');
  });
});

function catching(action: () => unknown): CountersignError {
  try {
    action();
  } catch (error) {
    return error as CountersignError;
  }
  throw new Error('Nothing was thrown');
}
