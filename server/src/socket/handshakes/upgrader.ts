import { type ServerOptions, WebSocketServer } from 'ws';
import { ClientSocket } from '../client-socket.ts';

/** Turns HTTP requests into WebSockets. */
export type Upgrader = InstanceType<typeof WebSocketServer<typeof ClientSocket>>;

/** Milliseconds in which a client must answer a close frame. */
const CLOSE_TIMEOUT_MS = 5000;

export function createUpgrader(maxMessageBytes: number): Upgrader {
  const options: ServerOptions<typeof ClientSocket> & ReceiverBounds & { readonly closeTimeout: number } = {
    noServer: true,
    WebSocket: ClientSocket,
    clientTracking: false,
    // All subscribers share a frame, so it cannot be compressed for each.
    perMessageDeflate: false,
    ...receiverBounds(maxMessageBytes),
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
  return new WebSocketServer<typeof ClientSocket>(options);
}

/** The bounds of one message. */
interface ReceiverBounds {
  readonly maxPayload: number;
  /** Fragments of one message: each costs memory, however short it is. */
  readonly maxFragments: number;
  /** Chunks in which a frame may arrive. */
  readonly maxBufferedChunks: number;
}

/** Libraries that fragment messages do so by kilobytes, and networks send packets of half a kilobyte or more. */
function receiverBounds(maxMessageBytes: number): ReceiverBounds {
  const kilobytes = Math.ceil(maxMessageBytes / 1024);
  return {
    maxPayload: maxMessageBytes,
    maxFragments: Math.max(64, kilobytes),
    maxBufferedChunks: Math.max(1024, kilobytes * 16),
  };
}
