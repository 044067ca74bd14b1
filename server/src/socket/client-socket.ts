import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { ErrorCode } from '../error-codes.ts';
import { Disconnect } from '../errors.ts';
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

/** A message that cannot be received: the connection closes. */
export interface BrokenMessage {
  readonly why: Disconnect;
  /** The bound that it exceeds, if it does. */
  readonly bound?: MessageBound;
}

const broken = (code: 1002 | 1007 | 1008 | 1009, errorCode: ErrorCode, reason: string) =>
  new Disconnect(code, errorCode, reason);
/** What is wrong with a message, by the code with which the WebSocket library would close. */
const BROKEN: ReadonlyMap<number, BrokenMessage> = new Map([
  [1002, { why: broken(1002, 'invalid_frame', 'A frame is not one of RFC 6455') }],
  [1007, { why: broken(1007, 'invalid_text', 'The message is not UTF-8') }],
  [
    1008,
    {
      why: broken(1008, 'too_many_fragments', 'The message has too many fragments'),
      bound: 'message_fragments',
    },
  ],
  [1009, { why: broken(1009, 'message_too_large', 'The message is too large'), bound: 'message_bytes' }],
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
    this.on('error', ignore);
  }

  /** The library closes without a reason when it cannot receive a message: the owner does it then, and says why. */
  override close(code?: number, reason?: string | Buffer): void {
    const found = reason === undefined && code !== undefined ? BROKEN.get(code) : undefined;
    if (found && this.owner) this.owner.receiveBroken(found);
    else super.close(code, reason);
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
  /** A message came that cannot be received. */
  receiveBroken(message: BrokenMessage): void;
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
function ignore(): void {}
