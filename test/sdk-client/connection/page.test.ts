import { afterEach, describe, expect, test, vi } from 'vitest';
import { ManualClock } from '../../helpers/clients/client-clock.ts';
import { nextEvent, startClient } from '../../helpers/clients/client-start.ts';
import { startEndpoint } from '../../helpers/clients/fake-endpoint.ts';
import { stillClient } from '../../helpers/clients/still-client.ts';

describe('in a page', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  function page(): EventTarget {
    const target = new EventTarget();
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
    vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target));
    return target;
  }

  test.each(['online', 'offline', 'pageshow'])('"%s" makes it doubt the link', async (event) => {
    const target = page();
    const { peer } = await stillClient();
    target.dispatchEvent(new Event(event));
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
  });

  test('a page that thaws gives a good link the time to answer', async () => {
    const target = page();
    const { clock, client, peer } = await stillClient();
    clock.leap(60_000);
    target.dispatchEvent(new Event('pageshow'));
    await peer.next();
    clock.advance(1_500);
    expect(client.connection.state).toBe('connected');
    const heard = nextEvent(client.connection, 'message');
    peer.event('pusher:pong', {});
    await heard;
    clock.advance(10_000);
    expect(client.connection.state).toBe('connected');
  });

  test('becoming visible makes it doubt the link, becoming hidden does not', async () => {
    const document = { visibilityState: 'hidden' };
    vi.stubGlobal('document', document);
    const target = page();
    const { clock, peer } = await stillClient();
    target.dispatchEvent(new Event('visibilitychange'));
    peer.send('{"event":"pusher:ping","data":"{}"}');
    expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
    document.visibilityState = 'visible';
    target.dispatchEvent(new Event('visibilitychange'));
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
    expect(clock.now()).toBe(0);
  });

  test('a page that is left closes its connection, and connects anew when it is shown again', async () => {
    const target = page();
    const { endpoint, clock, client, peer } = await stillClient();
    target.dispatchEvent(new Event('pagehide'));
    expect(client.connection.state).toBe('connecting');
    expect(await peer.closed()).toBe(1000);
    target.dispatchEvent(new Event('pageshow'));
    const connected = nextEvent(client.connection, 'connected');
    clock.advance(0);
    await endpoint.welcome();
    await connected;
  });

  test('"online" gives up a try that hangs, but not one that has just begun', async () => {
    const target = page();
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    startClient(endpoint, { clock });
    clock.advance(0);
    const hanging = await endpoint.accept();
    target.dispatchEvent(new Event('online'));
    expect(clock.delays).not.toContain(0);
    clock.advance(2_001);
    target.dispatchEvent(new Event('online'));
    expect(clock.delays).toContain(0);
    clock.advance(0);
    await endpoint.welcome();
    await hanging.closed();
  });

  test('"online" ends the wait for the next try, but not the rest of an overloaded broker', async () => {
    const target = page();
    const { endpoint, clock, client, peer } = await stillClient();
    const lost = nextEvent(client.connection, 'connecting');
    peer.socket.close(4100);
    await lost;
    expect(clock.delays[0]).toBe(1_500);
    target.dispatchEvent(new Event('online'));
    expect(clock.delays[0]).toBe(1_000);
    clock.advance(1_000);
    (await endpoint.accept()).socket.terminate();
    await vi.waitFor(() => expect(clock.delays[0]).toBe(1_000));
    target.dispatchEvent(new Event('online'));
    expect(clock.delays[0]).toBe(0);
  });
});
