import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Disconnect } from '../errors.ts';
import { closeReason } from './close-frame.ts';

/** Milliseconds in which a client that does not read may still receive the close frame. */
const CUT_OFF_DELAY_MS = 1000;

/** A bound of one message, as metrics name it. */
export type MessageBound = 'message_bytes' | 'message_fragments';

/** What ws keeps of what it has received; it has no public name. */
interface WithReceiver {
  readonly _receiver: {
    readonly _bufferedBytes: number;
    /** The opcode of the message whose fragments arrive, or 0. */
    readonly _fragmented: number;
    /** 0 between two frames. */
    readonly _state: number;
  };
}

/** Bounds of one message by the error code of the WebSocket library. */
const BOUNDS: ReadonlyMap<unknown, MessageBound> = new Map([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'message_bytes'],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 'message_fragments'],
]);

/** A WebSocket that holds its owner, so that all sockets share the same few listeners. */
export class ClientSocket extends WebSocket {
  owner: SocketOwner | undefined;

  /** Passes everything that the socket receives to the owner. */
  belongTo(owner: SocketOwner): void {
    this.owner = owner;
    this.on('message', onMessage);
    this.on('ping', onControl);
    this.on('pong', onControl);
    this.on('close', onClose);
    this.on('error', onError);
  }

  /** Whether a part of a message or frame has arrived, and the rest has not. */
  get isReceiving(): boolean {
    const { _bufferedBytes, _fragmented, _state } = (this as unknown as WithReceiver)._receiver;
    return _bufferedBytes > 0 || _fragmented > 0 || _state !== 0;
  }

  /** Sends a close frame, with as much of the reason as fits. */
  dismiss(why: Disconnect, isCapable: boolean): void {
    this.close(why.code, closeReason(why, isCapable));
  }

  /** Sends a close frame to a client that does not read, and soon destroys the socket. */
  cutOff(why: Disconnect, isCapable: boolean, socket: Duplex): void {
    this.dismiss(why, isCapable);
    setTimeout(destroy, CUT_OFF_DELAY_MS, socket).unref();
  }
}

/** The receiver of everything that comes out of a socket. */
export interface SocketOwner {
  receive(data: Buffer, isBinary: boolean): void;
  /** Receives a Ping, which the library has answered, or a Pong. */
  receiveControl(): void;
  /** A message exceeded a bound; the socket closes after it. */
  receiveOversized(bound: MessageBound): void;
  ended(code: number, reason: string): void;
}

function destroy(socket: Duplex): void {
  socket.destroy();
}

function ownerOf(socket: WebSocket): SocketOwner | undefined {
  return (socket as ClientSocket).owner;
}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  ownerOf(this)?.receive(data, isBinary);
}

function onControl(this: WebSocket): void {
  ownerOf(this)?.receiveControl();
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  ownerOf(this)?.ended(code, reason.toString());
}

/** The socket closes after an error. */
function onError(this: WebSocket, error: Error): void {
  const bound = 'code' in error ? BOUNDS.get(error.code) : undefined;
  if (bound) ownerOf(this)?.receiveOversized(bound);
}
