/** Bytes in front of each packet: its length, and its kind. */
const HEADER_BYTES = 5;

/** What the bytes of a packet are: serialized calls and answers, or one event, perhaps one that wants a receipt. */
export type PacketKind = 'calls' | 'event' | 'awaitedEvent';
const KINDS: readonly PacketKind[] = ['calls', 'event', 'awaitedEvent'];

/** A packet of one end of a connection. */
export interface Packet {
  readonly kind: PacketKind;
  readonly bytes: Buffer;
}

/** Puts packets into one buffer, each behind its length and kind, as {@link PacketReader} expects it. */
export function framePackets(packets: readonly Packet[]): Buffer {
  const parts = packets.flatMap(({ kind, bytes }) => {
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt32LE(bytes.length);
    header[HEADER_BYTES - 1] = KINDS.indexOf(kind);
    return [header, bytes];
  });
  return Buffer.concat(parts);
}

/** Finds the packets in a stream of bytes. */
export class PacketReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes that complete the next packet; until then chunks are not joined, so that a big packet is copied once. */
  #needed = HEADER_BYTES;

  /** Takes the next bytes, and yields the packets that they complete. */
  *read(chunk: Buffer): Generator<Packet> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#needed) return;

    let rest = Buffer.concat(this.#chunks, this.#bytes);
    this.#needed = HEADER_BYTES;
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUInt32LE();
      if (rest.length < end) {
        this.#needed = end;
        break;
      }
      const kind = KINDS[rest[HEADER_BYTES - 1] ?? 0] ?? 'calls';
      yield { kind, bytes: rest.subarray(HEADER_BYTES, end) };
      rest = rest.subarray(end);
    }
    this.#chunks = [rest];
    this.#bytes = rest.length;
  }
}
