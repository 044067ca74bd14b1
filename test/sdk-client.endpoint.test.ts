import type { AuthOptions, Countersign, CountersignError, SubscriptionError } from '@countersign/sdk-client';
import { describe, expect, test } from 'vitest';
import {
  type AuthAnswer,
  type AuthRequest,
  batchAnswer,
  startAuthEndpoint,
} from './helpers/client-auth-endpoint.ts';
import { ManualClock } from './helpers/client-clock.ts';
import { eventually, nextEvent, recorded, startClient } from './helpers/client-start.ts';
import { type FakeEndpoint, type Peer, startEndpoint } from './helpers/fake-endpoint.ts';

const GRANT = { body: { auth: 'key-1:sig' } };
const NAMES = Array.from({ length: 40 }, (_, index) => `private-${index}`);

interface Page {
  readonly client: Countersign;
  readonly requests: readonly AuthRequest[];
  readonly endpoint: FakeEndpoint;
  readonly peer: Peer;
}

/** A connected client whose app answers so. */
async function open(
  answer: (request: AuthRequest) => AuthAnswer | Promise<AuthAnswer>,
  auth: AuthOptions = {},
): Promise<Page> {
  const { url, requests } = await startAuthEndpoint(answer);
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, {
    channelAuthorization: { endpoint: url },
    userAuthentication: { endpoint: url },
    auth,
  });
  const connected = nextEvent(client.connection, 'connected');
  const peer = await endpoint.welcome('1.2');
  await connected;
  return { client, requests, endpoint, peer };
}

async function framesOf(peer: Peer, count: number): Promise<unknown[]> {
  const frames: unknown[] = [];
  while (frames.length < count) frames.push(await peer.next());
  return frames;
}

/** The app of one token: it refuses all others. */
function bearing(token: string, granted: (request: AuthRequest) => AuthAnswer = batchAnswer) {
  return (request: AuthRequest): AuthAnswer =>
    request.headers.authorization === `Bearer ${token}` ? granted(request) : { status: 401 };
}

describe('401', () => {
  test('asks the app for a token, and repeats the request with it', async () => {
    const causes: CountersignError[] = [];
    const { client, requests, peer } = await open(bearing('second'), {
      refresh: async (cause) => {
        causes.push(cause);
        return 'second';
      },
    });
    client.subscribe('private-a');
    expect(await peer.next()).toMatchObject({ data: { channel: 'private-a' } });
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer second']);
    expect(causes).toMatchObject([{ code: 'auth_failed', status: 401 }]);
    client.subscribe('private-b');
    await peer.next();
    expect(requests.length).toBe(3);
  });

  test('headers of the app win over all others, whatever their letters', async () => {
    const { url, requests } = await startAuthEndpoint(({ headers }) =>
      headers['x-session'] === 'new' ? GRANT : { status: 401 },
    );
    const endpoint = await startEndpoint();
    startClient(endpoint, {
      channelAuthorization: {
        endpoint: url,
        headers: { 'X-Session': 'old', 'X-Other': 'kept' },
        headersProvider: () => ({ 'x-Session': 'provided' }),
      },
      auth: { refresh: async () => ({ 'X-SESSION': 'new' }) },
    }).subscribe('private-a');
    await (await endpoint.welcome()).next();
    expect(requests.map(({ headers }) => [headers['x-session'], headers['x-other']])).toEqual([
      ['provided', 'kept'],
      ['new', 'kept'],
    ]);
  });

  test('one refresh serves 40 channels and a sign-in, without batches too', async () => {
    let calls = 0;
    const { url, requests } = await startAuthEndpoint(
      bearing('new', () => ({ body: { auth: 'a', user_data: '{"id":"7"}' } })),
    );
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      channelAuthorization: { endpoint: url, batch: false },
      userAuthentication: { endpoint: url },
      auth: {
        refresh: async () => {
          calls++;
          return 'new';
        },
      },
    });
    client.signin();
    for (const name of NAMES) client.subscribe(name);
    const peer = await endpoint.welcome();
    await framesOf(peer, 41);
    expect(calls).toBe(1);
    expect(requests.length).toBe(82);
  });

  test('is final when it comes again after a refresh', async () => {
    const { client, requests } = await open(() => ({ status: 401 }), { refresh: async () => 'useless' });
    const refused = nextEvent<SubscriptionError>(client.subscribe('private-a'), 'pusher:subscription_error');
    expect(await refused).toMatchObject({ type: 'AuthError', status: 401 });
    expect(requests.length).toBe(2);
  });

  test('is final without a refresh', async () => {
    const { client, requests } = await open(() => ({ status: 401 }));
    await expect(client.signin()).rejects.toMatchObject({ code: 'auth_failed', status: 401 });
    expect(requests.length).toBe(1);
  });

  test('null means signed out, which is raised once until somebody is signed in again', async () => {
    let token: string | null = null;
    const { client, requests, endpoint, peer } = await open(bearing('new'), { refresh: async () => token });
    const events = recorded(client);
    const signedOut = () => events.filter(({ event }) => event === 'signedOut').length;
    const refused = NAMES.map((name) => nextEvent(client.subscribe(name), 'pusher:subscription_error'));
    const signin = client.signin().catch((error: CountersignError) => error);
    for (const error of await Promise.all(refused)) expect(error).toMatchObject({ status: 401 });
    expect(await signin).toMatchObject({ code: 'auth_failed', status: 401 });
    expect(requests.length).toBe(2);
    expect(signedOut()).toBe(1);

    const again = NAMES.map((name) => nextEvent(client.channel(name)!, 'pusher:subscription_error'));
    peer.socket.close(4200);
    const second = await endpoint.welcome('3.4');
    await Promise.all(again);
    expect(signedOut()).toBe(1);

    token = 'new';
    client.subscribe('private-0');
    expect(await second.next()).toMatchObject({ data: { channel: 'private-0' } });
  });

  test('a refresh that fails is a refusal, and is tried again with the next request', async () => {
    let calls = 0;
    const { client, peer } = await open(bearing('new'), {
      refresh: async () => {
        if (calls++ === 0) throw new Error('Offline');
        return 'new';
      },
    });
    const events = recorded(client);
    const channel = client.subscribe('private-a');
    expect(await nextEvent(channel, 'pusher:subscription_error')).toMatchObject({
      status: 401,
      message: 'auth.refresh did not answer: Error: Offline',
    });
    client.subscribe('private-a');
    await peer.next();
    expect(events.some(({ event }) => event === 'signedOut')).toBe(false);
  });

  test('a refresh that does not answer ends with requestTimeout, and the next request asks for another', async () => {
    const clock = new ManualClock();
    let calls = 0;
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      clock,
      fetch: async (_, { headers }) =>
        headers['authorization']
          ? { status: 200, text: async () => '{"auth":"a"}' }
          : { status: 401, text: async () => '' },
      auth: { refresh: () => (calls++ === 0 ? new Promise(() => {}) : Promise.resolve('new')) },
    });
    const channel = client.subscribe('private-a');
    const connected = nextEvent(client.connection, 'connected');
    clock.advance(0);
    const peer = await endpoint.welcome();
    await connected;
    await eventually(() => calls).toBe(1);
    const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
    clock.advance(20_000);
    expect((await refused).type).toBe('TimeoutError');
    client.subscribe('private-a');
    await peer.next();
    expect(calls).toBe(2);
  });
});

describe('other failures', () => {
  test('403 is final', async () => {
    const { client, requests } = await open(() => ({ status: 403 }));
    await nextEvent(client.subscribe('private-a'), 'pusher:subscription_error');
    expect(requests.length).toBe(1);
  });

  test.each([500, 503, 429])('%i is repeated until the endpoint recovers', async (status) => {
    let answers = 0;
    const { client, requests, peer } = await open(() => (++answers < 4 ? { status } : GRANT));
    client.subscribe('private-a');
    await peer.next();
    expect(requests.length).toBe(4);
  });

  test('the fourth is final', async () => {
    const { client, requests } = await open(() => ({ status: 500 }));
    const refused = nextEvent(client.subscribe('private-a'), 'pusher:subscription_error');
    expect(await refused).toMatchObject({ status: 500 });
    expect(requests.length).toBe(4);
  });

  test('a sign-in is repeated in the same way', async () => {
    let answers = 0;
    const { client, peer } = await open(() =>
      ++answers < 2 ? { status: 503 } : { body: { auth: 'a', user_data: '{"id":"7"}' } },
    );
    client.signin();
    expect(await peer.next()).toMatchObject({ event: 'pusher:signin' });
  });

  /** Delays until the next request after this answer; without a delay the failure was final. */
  async function delayAfter(
    answer: { status: number; retryAfter?: string },
    chance = 0,
  ): Promise<number | null> {
    const clock = new ManualClock();
    clock.chance = chance;
    let asked = 0;
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      clock,
      reconnect: {},
      fetch: async () => {
        asked++;
        return {
          status: answer.status,
          headers: new Headers(answer.retryAfter ? { 'Retry-After': answer.retryAfter } : {}),
          text: async () => '',
        };
      },
    });
    const connected = nextEvent(client.connection, 'connected');
    const channel = client.subscribe('private-a');
    let isFinal = false;
    channel.bind('pusher:subscription_error', () => {
      isFinal = true;
    });
    clock.advance(0);
    await endpoint.welcome();
    await connected;
    const before = clock.delays.length;
    await eventually(() => asked).toBe(1);
    await eventually(() => isFinal || clock.delays.length > before).toBe(true);
    if (isFinal) return null;
    // The others are the look at the clock (1 s), the stable connection (10 s) and the end of the attempt (20 s).
    const [delay] = clock.delays.filter((ms) => ![1_000, 10_000, 20_000].includes(ms));
    return delay ?? null;
  }

  test('the first delay is half a second and as much by chance', async () => {
    expect(await delayAfter({ status: 500 })).toBe(500);
    expect(await delayAfter({ status: 500 }, 0.5)).toBe(750);
  });

  test('Retry-After in seconds or as a date is obeyed', async () => {
    expect(await delayAfter({ status: 429, retryAfter: '7' })).toBe(7_500);
    const clock = new ManualClock();
    const date = new Date(clock.now() + 5_000).toUTCString();
    expect(await delayAfter({ status: 503, retryAfter: date })).toBe(5_500);
    expect(await delayAfter({ status: 503, retryAfter: 'soon' })).toBe(500);
  });

  test('a Retry-After beyond requestTimeout is final at once', async () => {
    expect(await delayAfter({ status: 429, retryAfter: '20' })).toBeNull();
  });
});

test('what still waits for another try ends with the connection', async () => {
  const clock = new ManualClock();
  const endpoint = await startEndpoint();
  let asked = 0;
  const client = startClient(endpoint, {
    clock,
    fetch: async () => {
      asked++;
      return { status: 503, headers: new Headers({ 'Retry-After': '10' }), text: async () => '' };
    },
  });
  client.subscribe('private-a');
  client.subscribe('private-b');
  const connected = nextEvent(client.connection, 'connected');
  clock.advance(0);
  await endpoint.welcome();
  await connected;
  await eventually(() => asked).toBe(1);
  await eventually(() => clock.delays.includes(10_000)).toBe(true);
  client.disconnect();
  expect(clock.pending).toBe(0);
});
