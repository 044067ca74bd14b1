import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { readForwarding } from '#server/http/forwarding';

const requestOf = (headers: Readonly<Record<string, string>>, remoteAddress = '10.0.0.1') =>
  ({ headers, socket: { remoteAddress } }) as unknown as IncomingMessage;

describe('the address of a client behind a trusted proxy', () => {
  const { addressOf } = readForwarding(['10.0.0.0/8']);

  test.each([
    ['198.51.100.7', '198.51.100.7'],
    ['198.51.100.7:50123', '198.51.100.7'],
    ['2001:DB8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:50123', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:198.51.100.7', '198.51.100.7'],
    ['203.0.113.9, 198.51.100.7:1, 10.0.0.2:2', '198.51.100.7'],
  ])('X-Forwarded-For: %s', (header, address) => {
    expect(addressOf(requestOf({ 'x-forwarded-for': header }))).toBe(address);
  });

  test.each([
    ['for=198.51.100.7', '198.51.100.7'],
    ['For="198.51.100.7:4711";proto=https', '198.51.100.7'],
    ['for="[2001:db8::1]:4711";by=10.0.0.1', '2001:db8::1'],
    ['for=203.0.113.9, for=198.51.100.7, for=10.0.0.2', '198.51.100.7'],
  ])('Forwarded: %s', (header, address) => {
    expect(addressOf(requestOf({ forwarded: header }))).toBe(address);
  });

  test.each(['unknown', '_hidden', '', '1.2.3', '999.1.1.1', 'x'.repeat(9000), "' OR 1=1", '[::1'])(
    'is that of the proxy where it says %j',
    (header) => {
      expect(addressOf(requestOf({ 'x-forwarded-for': header }))).toBe('10.0.0.1');
      expect(addressOf(requestOf({ forwarded: `for=${header}` }))).toBe('10.0.0.1');
    },
  );

  test('is its own where it is no proxy', () => {
    expect(addressOf(requestOf({ 'x-forwarded-for': '198.51.100.7' }, '192.0.2.1'))).toBe('192.0.2.1');
  });
});

test('TLS towards a trusted proxy is TLS, and what the client says of itself is not', () => {
  const { isSecure } = readForwarding(1);
  expect(isSecure(requestOf({ forwarded: 'for=198.51.100.7;proto=https' }))).toBe(true);
  expect(isSecure(requestOf({ forwarded: 'for=1.1.1.1;proto=https, for=198.51.100.7;proto=http' }))).toBe(
    false,
  );
  expect(isSecure(requestOf({ 'x-forwarded-proto': 'https' }))).toBe(true);
  expect(readForwarding(false).isSecure(requestOf({ 'x-forwarded-proto': 'https' }))).toBe(false);
});
