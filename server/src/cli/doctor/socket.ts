/** The WebSocket, from the upgrade to an event that comes back. */
import { Countersign } from '@countersign/sdk-server';
import { WebSocket } from 'ws';
import { addressOf } from '../target.ts';
import { ANSWER_MS, below, ok, type Patient, reasonOf, type Step, skipped, wrong } from './examination.ts';

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
  async examine(patient) {
    try {
      const { socket } = await greet(patient);
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
  async examine(patient) {
    const { idleSeconds } = patient;
    if (idleSeconds === undefined) return skipped('--idle 70 waits for so many seconds');
    const { socket, refusal } = await greet(patient);
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
  async examine(patient) {
    if (patient.origin === undefined) return skipped('--origin names the origin of your page');
    if (patient.key === undefined) return skipped('--key names the key with which your page connects');
    const { socket, refusal } = await greet(patient, patient.origin);
    socket.terminate();
    if (!refusal) return ok(`pages of ${patient.origin} may connect`);
    return wrong(
      `pages of ${patient.origin} are refused with ${refusal.code}: ${refusal.message}`,
      'Add the origin to "allowedOrigins" of the app',
      'configuration.md#origins-of-apps',
    );
  },
};

export const signedRequest: Step = {
  name: 'signed_request',
  needs: ['ready'],
  async examine(patient) {
    const sdk = sdkOf(patient);
    if (!sdk) return skipped('--app, --key and --secret sign requests');
    try {
      await sdk.get({ path: '/channels' });
      return ok(`the broker accepts what ${patient.key} signs for ${patient.app}`);
    } catch (error) {
      return wrong(
        `a signed request is refused: ${reasonOf(error)}`,
        'Compare app, key and secret with those of the broker',
        'http-api.md#signing',
      );
    }
  },
};

export const subscribe: Step = {
  name: 'subscribe',
  needs: ['upgrade', 'signed_request'],
  async examine(patient) {
    const sdk = sdkOf(patient);
    if (!sdk) return skipped('--app, --key and --secret sign the subscription');
    const { socket, socketId, refusal } = await greet(patient);
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
  async examine(patient) {
    const sdk = sdkOf(patient);
    if (!sdk) return skipped('--app, --key and --secret publish');
    const { socket, socketId = '' } = await greet(patient);
    try {
      await subscribeTo(socket, socketId, sdk);
      const beganAt = performance.now();
      const came = next(socket, ({ event }) => event === EVENT);
      await sdk.trigger(CHANNEL, EVENT, {});
      await came;
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

function sdkOf({ url, app, key, secret }: Patient): Countersign | undefined {
  if (app === undefined || key === undefined || secret === undefined) return undefined;
  return new Countersign({ appId: app, key, secret, ...addressOf(url), maxRetries: 0, nonces: true });
}

/** Connects as a client does. @throws Error if no WebSocket opens */
async function greet(patient: Patient, from?: string): Promise<Greeting> {
  const target = below(patient, `/app/${encodeURIComponent(patient.key ?? NO_KEY)}`);
  target.protocol = target.protocol.replace('http', 'ws');
  target.search = '?protocol=7&client=countersign-doctor&version=1';
  const socket = new WebSocket(target, {
    handshakeTimeout: ANSWER_MS,
    ...(from !== undefined && { origin: from }),
  });
  // What ends without a listener would end the command.
  socket.on('error', () => {});
  const opened = new Promise<void>((resolve, reject) => {
    socket.once('open', resolve).once('error', reject);
  });
  const first = next(socket, () => true);
  await Promise.all([opened, first]);
  const { event, data } = await first;
  if (event !== 'pusher:error') {
    const { socket_id } = JSON.parse(String(data)) as { readonly socket_id?: string };
    return { socket, socketId: socket_id, refusal: undefined };
  }
  return { socket, socketId: undefined, refusal: data as Greeting['refusal'] };
}

interface Message {
  readonly event: string;
  readonly data?: unknown;
}

/** The next message that fits. @throws Error if none comes in time, or the socket ends */
function next(socket: WebSocket, fits: (message: Message) => boolean): Promise<Message> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(() => reject(new Error('nothing came in 10 s'))), ANSWER_MS);
    const onMessage = (raw: Buffer) => {
      const message = JSON.parse(raw.toString()) as Message;
      if (fits(message)) done(() => resolve(message));
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
