import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../helpers/clients/client-clock.ts';
import { nextEvent, startClient } from '../../helpers/clients/client-start.ts';
import { startEndpoint } from '../../helpers/clients/fake-endpoint.ts';
import { stillClient } from '../../helpers/clients/still-client.ts';

describe('a dead link', () => {
  test('silence is asked about, and no answer ends the connection', async () => {
    const { endpoint, clock, client, peer } = await stillClient();
    clock.advance(20_000);
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
    const lost = nextEvent(client.connection, 'connecting');
    clock.advance(10_000);
    await lost;
    clock.advance(0);
    await endpoint.accept();
  });

  test('by default it is known 30 seconds after the last sign of life, to the millisecond', async () => {
    const { clock, client, peer } = await stillClient();
    clock.advance(12_345);
    const heard = nextEvent(client.connection, 'message');
    peer.event('anything', {});
    await heard;
    clock.advance(29_999);
    expect(client.connection.state).toBe('connected');
    clock.advance(1);
    expect(client.connection.state).toBe('connecting');
  });

  test('any frame is a sign of life', async () => {
    const { clock, client, peer } = await stillClient();
    clock.advance(20_000);
    await peer.next();
    const message = nextEvent(client.connection, 'message');
    peer.event('anything', {}, 'channel');
    await message;
    clock.advance(19_000);
    expect(client.connection.state).toBe('connected');
  });

  test('the smaller of the two activity timeouts counts', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock });
    const connected = nextEvent(client.connection, 'connected');
    clock.advance(0);
    const peer = await endpoint.welcome('1.2', 5);
    await connected;
    clock.advance(5_000);
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
  });

  test('after sleep the link is asked at once, and has two seconds', async () => {
    const { clock, client, peer } = await stillClient();
    clock.leap(3_600_000);
    clock.advance(1_000);
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
    expect(client.connection.state).toBe('connected');
    clock.advance(2_000);
    expect(client.connection.state).toBe('connecting');
  });

  test('a clock that is set back changes nothing of what is waited for', async () => {
    const { clock, client, peer } = await stillClient();
    clock.leap(-3_600_000);
    clock.advance(19_999);
    peer.send('{"event":"pusher:ping","data":"{}"}');
    expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
    clock.advance(20_000);
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
    clock.advance(10_000);
    expect(client.connection.state).toBe('connecting');
  });

  test('a clock that is set while the next try is waited for does not move that', async () => {
    const { clock, client, peer } = await stillClient();
    const lost = nextEvent(client.connection, 'connecting');
    peer.socket.close(4100);
    await lost;
    clock.leap(3_600_000);
    expect(clock.delays[0]).toBe(1_500);
  });

  test("the broker's ping is answered", async () => {
    const { peer } = await stillClient();
    peer.send('{"event":"pusher:ping","data":"{}"}');
    expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
  });
});
