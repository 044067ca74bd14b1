import type {
  AuthOptions,
  Countersign,
  CountersignError,
  Fetch,
  SubscriptionError,
} from '@countersign/sdk-client';
import { describe, expect, test } from 'vitest';
import {
  type AuthAnswer,
  type AuthRequest,
  batchAnswer,
  startAuthEndpoint,
} from '../helpers/clients/client-auth-endpoint.ts';
import { ManualClock } from '../helpers/clients/client-clock.ts';
import { eventually, nextEvent, recorded, startClient } from '../helpers/clients/client-start.ts';
import { type FakeEndpoint, type Peer, startEndpoint } from '../helpers/clients/fake-endpoint.ts';

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
    void client.signin();
    for (const name of NAMES) client.subscribe(name);
    const peer = await endpoint.welcome();
    await framesOf(peer, 41);
    expect(calls).toBe(1);
    expect(requests.length).toBe(82);
  });

  test('is final when it comes again after a refresh', async () => {
    const { client, requests } = await open(() => ({ status: 401 }), { refresh: async () => 'useless' });
    const refused = nextEvent<SubscriptionError>(client.subscribe('private-a'), 'pusher:subscription_error');
    expect(await refused).toMatchObject({ type: 'EndpointError', status: 401 });
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
  test.each([400, 403, 404, 405, 410, 415, 419, 422])('%i is final at once', async (status) => {
    const { client, requests } = await open(() => ({ status }));
    const refused = nextEvent(client.subscribe('private-a'), 'pusher:subscription_error');
    expect(await refused).not.toHaveProperty('retryIn');
    expect(requests.length).toBe(1);
  });

  test.each([408, 425, 429, 500, 502, 503])(
    '%i is told, and asked again until the endpoint recovers',
    async (status) => {
      let answers = 0;
      const { client, requests, peer } = await open(() => (++answers < 7 ? { status } : GRANT));
      const channel = client.subscribe('private-a');
      const told = recorded(channel);
      await peer.next();
      expect(requests.length).toBe(7);
      expect(told.length).toBe(6);
      expect(told[0]).toMatchObject({ data: { status, retryIn: expect.any(Number) } });
    },
  );

  test('an endpoint that breaks off is asked again', async () => {
    let answers = 0;
    const real: Fetch = fetch;
    const { url } = await startAuthEndpoint(() => GRANT);
    const endpoint = await startEndpoint();
    startClient(endpoint, {
      channelAuthorization: { endpoint: url },
      fetch: (input, init) =>
        ++answers < 4 ? Promise.reject(new TypeError('Load failed')) : real(input, init),
    }).subscribe('private-a');
    await (await endpoint.welcome()).next();
    expect(answers).toBe(4);
  });

  test('channels that fail together ask together again', async () => {
    let isAway = true;
    const { client, requests, peer } = await open((request) =>
      isAway ? { status: 503 } : batchAnswer(request),
    );
    const told = NAMES.map((name) => nextEvent(client.subscribe(name), 'pusher:subscription_error'));
    await Promise.all(told);
    isAway = false;
    await framesOf(peer, 40);
    expect(requests.map(({ channels }) => channels.length)).toEqual([40, 1, 40]);
  });

  test('by the time and chance of the platform, too', async () => {
    let answers = 0;
    const { url } = await startAuthEndpoint(() => (++answers < 3 ? { status: 503 } : GRANT));
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      channelAuthorization: { endpoint: url },
      reconnect: { minDelay: 40, maxDelay: 60 },
    });
    const channel = client.subscribe('private-a');
    const told = recorded(channel);
    await (await endpoint.welcome()).next();
    const delays = told.map(({ data }) => (data as SubscriptionError).retryIn ?? 0);
    expect(delays.length).toBe(2);
    for (const [index, longest] of [40, 60].entries()) {
      expect(delays[index]).toBeGreaterThanOrEqual(longest / 2);
      expect(delays[index]).toBeLessThan(longest);
    }
  });

  test('a sign-in goes on until the endpoint recovers, and who waits for it waits', async () => {
    let answers = 0;
    const { client, peer } = await open(() =>
      ++answers < 6 ? { status: 503 } : { body: { auth: 'a', user_data: '{"id":"7"}' } },
    );
    const user = client.signin();
    expect(await peer.next()).toMatchObject({ event: 'pusher:signin' });
    peer.event('pusher:signin_success', { user_data: '{"id":"7"}' });
    expect((await user).id).toBe('7');
  });

  /** In how many ms it is asked for again after this answer; `undefined` if that is for the app. */
  async function retryAfter(
    answer: { status: number; retryAfter?: string },
    chance = 0,
  ): Promise<number | undefined> {
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
    const refused = nextEvent<SubscriptionError>(client.subscribe('private-a'), 'pusher:subscription_error');
    clock.advance(0);
    await endpoint.welcome();
    const { retryIn } = await refused;
    if (retryIn === undefined) return undefined;
    expect(clock.delays).toContain(retryIn);
    // Long waits are cut by the silence of this broker; the answer itself is what counts.
    if (retryIn < 5_000) {
      clock.advance(retryIn);
      await eventually(() => asked).toBe(2);
    }
    return retryIn;
  }

  test('the first delay is half a second and as much by chance', async () => {
    expect(await retryAfter({ status: 500 })).toBe(500);
    expect(await retryAfter({ status: 500 }, 0.5)).toBe(750);
  });

  test('Retry-After in seconds or as a date is obeyed, an hour at most', async () => {
    expect(await retryAfter({ status: 429, retryAfter: '25' })).toBe(25_500);
    const date = new Date(new ManualClock().wall() + 5_000).toUTCString();
    expect(await retryAfter({ status: 503, retryAfter: date })).toBe(5_500);
    expect(await retryAfter({ status: 503, retryAfter: 'soon' })).toBe(500);
    expect(await retryAfter({ status: 503, retryAfter: '99999999' })).toBe(3_600_500);
    expect(await retryAfter({ status: 403, retryAfter: '5' })).toBeUndefined();
  });
});

describe('disconnect ends', () => {
  /** A client of an app that answers so, once it has been asked. */
  async function asked(
    fetch: Fetch,
    auth: AuthOptions = {},
  ): Promise<{ client: Countersign; clock: ManualClock }> {
    const clock = new ManualClock();
    const endpoint = await startEndpoint();
    let requests = 0;
    const client = startClient(endpoint, {
      clock,
      auth,
      fetch: (...request) => {
        requests++;
        return fetch(...request);
      },
    });
    for (const name of ['private-a', 'private-b', 'presence-a']) client.subscribe(name);
    client.signin().catch(() => {});
    const connected = nextEvent(client.connection, 'connected');
    clock.advance(0);
    await endpoint.welcome();
    await connected;
    await eventually(() => requests).toBeGreaterThan(1);
    return { client, clock };
  }

  test('what waits to be asked again', async () => {
    const { client, clock } = await asked(async () => ({
      status: 503,
      headers: new Headers({ 'Retry-After': '10' }),
      text: async () => '',
    }));
    await eventually(() => clock.delays.some((ms) => ms > 10_000 && ms < 12_000)).toBe(true);
    client.disconnect();
    expect(clock.pending).toBe(0);
  });

  test('requests that are not answered', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const { client, clock } = await asked((_, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    client.disconnect();
    expect(clock.pending).toBe(0);
    expect(signals.every((signal) => signal?.aborted)).toBe(true);
  });

  test('a refresh, whose late answer signs nobody out', async () => {
    let answer: ((token: null) => void) | undefined;
    const refresh = () =>
      new Promise<null>((resolve) => {
        answer = resolve;
      });
    const { client, clock } = await asked(async () => ({ status: 401, text: async () => '' }), { refresh });
    await eventually(() => answer !== undefined).toBe(true);
    const events = recorded(client);
    client.disconnect();
    expect(clock.pending).toBe(0);
    answer?.(null);
    await new Promise((resolve) => setImmediate(resolve));
    expect(events.filter(({ event }) => event === 'signedOut')).toEqual([]);
  });

  test('also what it is called from', async () => {
    let client: Countersign | undefined;
    const clock = new ManualClock();
    const endpoint = await startEndpoint();
    client = startClient(endpoint, {
      clock,
      auth: { refresh: () => new Promise(() => client?.disconnect()) },
      fetch: async () => ({ status: 401, text: async () => '' }),
    });
    const disconnected = nextEvent(client.connection, 'disconnected');
    client.subscribe('private-a');
    clock.advance(0);
    await endpoint.welcome();
    await disconnected;
    expect(clock.pending).toBe(0);
  });
});
