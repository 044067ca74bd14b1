import { describe, expect, test } from 'vitest';
import { isPublicAddress } from '#server/outbound/public-addresses';
import { start } from '../../helpers/brokers/dispatcher.ts';
import { startReceiver } from '../../helpers/brokers/receiver.ts';

describe('where a webhook may go', () => {
  test.each(['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '0.0.0.0'])(
    'not to http://%s, unless any address is allowed',
    async (host) => {
      const receiver = await startReceiver();
      const { port } = new URL(receiver.url());
      const { tell, list, metrics } = start([`http://${host}:${port}/`], { addresses: 'public' });
      await tell('a');
      await expect
        .poll(() => list('failing'))
        .toMatchObject([
          {
            attempts: [
              { status: null, answer: 'the address is not public, and webhookAddresses is "public"' },
            ],
          },
        ]);
      expect(metrics.webhookAttempts.get('forbidden')).toBe(1);
      expect(receiver.posted).toEqual([]);
    },
  );

  test.each([
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '0.0.0.0',
    '100.100.100.200',
    '161.26.0.10',
    '166.9.58.64',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fe80::a9fe:a9fe',
    '::a9fe:a9fe',
    '::ffff:168.63.129.16',
    '::ffff:0:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '2001:0:a9fe:a9fe::1',
    '2002:a9fe:a9fe::1',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::a00:1',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '2001:db8::1',
    '2002:a00:1::',
    '2001::1',
    'localhost',
    '',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '161.25.255.255',
    '168.63.129.15',
    '168.63.129.17',
    '172.15.0.1',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00:1450:4001::1',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});
