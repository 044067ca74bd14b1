/** The WebSocket, from the upgrade to an event that comes back. */
import { Countersign, RequestError } from '@countersign/sdk-server';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { codes } from '../../errors.ts';
import { addressOf } from '../target.ts';
import { ANSWER_MS, below, ok, reasonOf, type Step, skipped, type Target, wrong } from './examination.ts';

const CHANNEL = 'private-countersign-doctor';
const EVENT = 'echo';
/** Opens a WebSocket also where no app has the key: what refuses it then is the broker. */
const NO_KEY = 'countersign-doctor';

/** What came first: a frame, or the end. */
interface Greeting {
  readonly socket: WebSocket;
  readonly socketId: string | undefined;
  /** Why the broker refused. */
  readonly refusal: { readonly code: number; readonly message: string } | undefined;
}

export const upgrade: Step = {
  name: 'upgrade',
  needs: ['ready'],
  async examine(target) {
    try {
      const { socket } = await greet(target);
      socket.terminate();
      return ok('a WebSocket opens');
    } catch (error) {
      return wrong(
        `no WebSocket opens: ${reasonOf(error)}`,
        'Let the proxy pass on Upgrade and Connection, over HTTP/1.1',
        'deploy.md#behind-a-proxy',
      );
    }
  },
};

export const idle: Step = {
  name: 'idle',
  needs: ['upgrade'],
  async examine(target) {
    const { idleSeconds } = target;
    if (idleSeconds === undefined) return skipped('--idle 70 waits for so many seconds');
    const { socket, refusal } = await greet(target);
    try {
      if (refusal) return skipped('no app has the key, so no connection stays open');
      const ended = await endWithin(socket, idleSeconds * 1000);
      if (ended === undefined) return ok(`a connection that is silent for ${idleSeconds} s stays open`);
      return wrong(
        `a silent connection ended with ${ended.code} after ${Math.round(ended.afterMs / 1000)} s`,
        'Raise the idle time-out of the proxy above the activity time-out of the broker',
        'deploy.md#behind-a-proxy',
      );
    } finally {
      socket.terminate();
    }
  },
};

export const origin: Step = {
  name: 'origin',
  needs: ['upgrade'],
  async examine(target) {
    if (target.origin === undefined) return skipped('--origin names the origin of your page');
    if (target.key === undefined) return skipped('--key names the key with which your page connects');
    const { socket, refusal } = await greet(target, target.origin);
    socket.terminate();
    if (!refusal) return ok(`pages of ${target.origin} may connect`);
    if (refusal.code !== codes.unauthorized) {
      return wrong(
        `the connection is refused with ${refusal.code}: ${refusal.message}`,
        'The code says why',
        'errors.md#close-codes',
      );
    }
    return wrong(
      `pages of ${target.origin} are refused with ${refusal.code}: ${refusal.message}`,
      'Add the origin to "allowedOrigins" of the app',
      'configuration.md#origins-of-apps',
    );
  },
};

export const signedRequest: Step = {
  name: 'signed_request',
  needs: ['ready'],
  async examine(target) {
    const sdk = sdkOf(target);
    if (!sdk) return skipped('--app, --key and --secret sign requests');
    try {
      await sdk.get({ path: '/channels' });
      return ok(`the broker accepts what ${target.key} signs for ${target.app}`);
    } catch (error) {
      const reason = `a signed request is refused: ${reasonOf(error)}`;
      const code = error instanceof RequestError ? error.errorCode : undefined;
      if (code === 'timestamp_expired')
        return wrong(reason, 'Set both clocks by NTP', 'errors.md#timestamp_expired');
      if (code === 'scope_missing')
        return wrong(reason, 'Take a key that may read, or give this one the scope', 'keys.md#scopes');
      return wrong(reason, 'Compare app, key and secret with those of the broker', 'http-api.md#signing');
    }
  },
};

export const subscribe: Step = {
  name: 'subscribe',
  needs: ['upgrade', 'signed_request'],
  async examine(target) {
    const sdk = sdkOf(target);
    if (!sdk) return skipped('--app, --key and --secret sign the subscription');
    const { socket, socketId, refusal } = await greet(target);
    try {
      if (refusal || socketId === undefined)
        return refused(refusal?.code ?? 0, refusal?.message ?? 'no socket id');
      await subscribeTo(socket, socketId, sdk);
      return ok(`a connection was let into ${CHANNEL}`);
    } catch (error) {
      return refused(0, reasonOf(error));
    } finally {
      socket.terminate();
    }
  },
};

export const echo: Step = {
  name: 'echo',
  needs: ['subscribe'],
  async examine(target) {
    const sdk = sdkOf(target);
    if (!sdk) return skipped('--app, --key and --secret publish');
    const { socket, socketId = '' } = await greet(target);
    try {
      await subscribeTo(socket, socketId, sdk);
      const beganAt = performance.now();
      await Promise.all([next(socket, ({ event }) => event === EVENT), sdk.trigger(CHANNEL, EVENT, {})]);
      return ok(`an event came back in ${Math.round(performance.now() - beganAt)} ms`);
    } catch (error) {
      return wrong(
        `an event that was published has not come: ${reasonOf(error)}`,
        'Let all nodes behind the address share one Redis',
        'deploy.md#several-machines',
      );
    } finally {
      socket.terminate();
    }
  },
};

export const fallbacks: Step = {
  name: 'fallbacks',
  needs: [],
  async examine() {
    return skipped('this release has WebSockets only');
  },
};

function refused(code: number, why: string) {
  return wrong(
    `the subscription is refused${code === 0 ? '' : ` with ${code}`}: ${why}`,
    'The code says why',
    'errors.md#pushersubscription_error',
  );
}

function sdkOf({ url, app, key, secret }: Target): Countersign | undefined {
  if (app === undefined || key === undefined || secret === undefined) return undefined;
  return new Countersign({ appId: app, key, secret, ...addressOf(url), maxRetries: 0, nonces: true });
}

/** Connects as a client does. @throws Error if no WebSocket opens */
async function greet(target: Target, from?: string): Promise<Greeting> {
  const url = below(target, `/app/${encodeURIComponent(target.key ?? NO_KEY)}`);
  url.protocol = url.protocol.replace('http', 'ws');
  url.search = '?protocol=7&client=countersign-doctor&version=1';
  const socket = new WebSocket(url, {
    handshakeTimeout: ANSWER_MS,
    ...(from !== undefined && { origin: from }),
  });
  // What ends without a listener would end the command.
  socket.on('error', () => {});
  const opened = new Promise<void>((resolve, reject) => {
    socket.once('open', resolve).once('error', reject);
  });
  const [{ event, data }] = await Promise.all([next(socket, () => true), opened]).catch((error: unknown) => {
    socket.terminate();
    throw error;
  });
  if (event !== 'pusher:error') {
    const { socket_id } = JSON.parse(String(data)) as { readonly socket_id?: string };
    return { socket, socketId: socket_id, refusal: undefined };
  }
  return { socket, socketId: undefined, refusal: data as Greeting['refusal'] };
}

const messageSchema = z.looseObject({ event: z.string(), data: z.unknown() });
type Message = z.infer<typeof messageSchema>;

/** The next message that fits. @throws Error if none comes in time, or the socket ends */
function next(socket: WebSocket, fits: (message: Message) => boolean): Promise<Message> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(() => reject(new Error('nothing came in 10 s'))), ANSWER_MS);
    const onMessage = (raw: Buffer) => {
      try {
        const message = messageSchema.parse(JSON.parse(raw.toString()));
        if (fits(message)) done(() => resolve(message));
      } catch {
        done(() => reject(new Error('something else than the broker answers')));
      }
    };
    const onClose = (code: number, reason: Buffer) =>
      done(() => reject(new Error(`closed with ${code} ${reason.toString()}`.trimEnd())));
    const onError = (error: Error) => done(() => reject(error));
    const done = (settle: () => void) => {
      clearTimeout(timer);
      socket.off('message', onMessage).off('close', onClose).off('error', onError);
      settle();
    };
    socket.on('message', onMessage).on('close', onClose).on('error', onError);
  });
}

async function subscribeTo(socket: WebSocket, socketId: string, sdk: Countersign): Promise<void> {
  const { auth } = sdk.authorizeChannel(socketId, CHANNEL);
  const answered = next(socket, ({ event }) => /subscription_(succeeded|error)$/.test(event));
  socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: CHANNEL, auth } }));
  const { event, data } = await answered;
  if (event.endsWith('error')) throw new Error(String((data as { readonly error?: unknown }).error ?? event));
}

function endWithin(
  socket: WebSocket,
  milliseconds: number,
): Promise<{ readonly code: number; readonly afterMs: number } | undefined> {
  const beganAt = performance.now();
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), milliseconds);
    socket.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, afterMs: performance.now() - beganAt });
    });
  });
}
