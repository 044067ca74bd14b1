import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Disconnect } from '../errors.ts';
import { closeReason } from './close-frame.ts';

/** Whoever is told what comes out of a socket. */
export interface SocketOwner {
  receive(data: Buffer, isBinary: boolean): void;
  /** A Ping, which is answered already, or a Pong. */
  receiveControl(): void;
  /** What was received is against the protocol of WebSockets or too large; the socket ends. */
  failed(error: Error): void;
  ended(code: number, reason: string): void;
}

/** Milliseconds that a close frame has to leave for a client that does not read. */
const LAST_WORD_MS = 1000;

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

/** A WebSocket that knows its owner, so that all sockets can share the same few listeners. */
export class ClientSocket extends WebSocket {
  owner: SocketOwner | undefined;

  /** Tells the owner from now on. */
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
  dismiss({ code, reason }: Disconnect): void {
    this.close(code, closeReason(reason));
  }

  /** The same for a client that does not read: soon after it all ends, read or not. */
  cutOff(why: Disconnect, socket: Duplex): void {
    this.dismiss(why);
    setTimeout(destroy, LAST_WORD_MS, socket).unref();
  }
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

/** The socket closes after it. */
function onError(this: WebSocket, error: Error): void {
  ownerOf(this)?.failed(error);
}
