import type { EventMessage, Version } from '../../adapter/adapter.ts';
import type { Topic } from '../../adapter/topic.ts';
import type { Position } from '../../history/history.ts';

/** Bytes of the length of the head, and the one that says how the data is encoded. */
const PREFIX_BYTES = 5;
const LATIN1 = 0;
const UTF16 = 1;

type Head = Omit<EventMessage, 'data'>;

/** An event as bytes, for its way between processes. Data of ASCII takes a byte for each character; any other stays exact in UTF-16. */
export function packEvent(event: EventMessage): Buffer {
  const { data } = event;
  const head = JSON.stringify({ ...event, data: undefined });
  const headBytes = Buffer.byteLength(head);
  const isAscii = Buffer.byteLength(data) === data.length;
  const dataAt = PREFIX_BYTES + headBytes;
  const bytes = Buffer.allocUnsafe(dataAt + (isAscii ? data.length : data.length * 2));
  bytes.writeUInt32LE(headBytes);
  bytes[PREFIX_BYTES - 1] = isAscii ? LATIN1 : UTF16;
  bytes.write(head, PREFIX_BYTES);
  bytes.write(data, dataAt, isAscii ? 'latin1' : 'utf16le');
  return bytes;
}

/** The event that {@link packEvent} packed. */
export function unpackEvent(bytes: Buffer): EventMessage {
  return { ...headOf(bytes), data: dataOf(bytes) };
}

/** An event that is passed on as the bytes that it came in: its data is not decoded unless somebody asks for it. */
export class PackedEvent implements EventMessage {
  readonly kind = 'event';
  readonly topic: Topic;
  readonly name: string;
  readonly userId: string | undefined;
  readonly except: string | undefined;
  readonly sender: string | undefined;
  readonly traceparent: string | undefined;
  readonly version: Version | undefined;
  readonly position: Position | undefined;

  constructor(readonly bytes: Buffer) {
    const { topic, name, userId, except, sender, traceparent, version, position } = headOf(bytes);
    this.topic = topic;
    this.name = name;
    this.userId = userId;
    this.except = except;
    this.sender = sender;
    this.traceparent = traceparent;
    this.version = version;
    this.position = position;
  }

  /** Packs an event, unless it is packed already. */
  static of(event: EventMessage): PackedEvent {
    return event instanceof PackedEvent ? event : new PackedEvent(packEvent(event));
  }

  get data(): string {
    return dataOf(this.bytes);
  }
}

function headOf(bytes: Buffer): Head {
  return JSON.parse(bytes.toString('utf8', PREFIX_BYTES, dataStart(bytes))) as Head;
}

function dataOf(bytes: Buffer): string {
  const encoding = bytes[PREFIX_BYTES - 1] === LATIN1 ? 'latin1' : 'utf16le';
  return bytes.toString(encoding, dataStart(bytes));
}

function dataStart(bytes: Buffer): number {
  return PREFIX_BYTES + bytes.readUInt32LE();
}
