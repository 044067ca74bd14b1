/** Bytes of the length in front of each packet. */
const HEADER_BYTES = 4;

/** Puts the length in front of a packet, as {@link PacketReader} expects it. */
export function framePacket(packet: Buffer): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(packet.length);
  return Buffer.concat([header, packet]);
}

/** Finds the packets in a stream of bytes. */
export class PacketReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes that complete the next packet; until then chunks are not joined, so that a big packet is copied once. */
  #needed = HEADER_BYTES;

  /** Takes the next bytes, and yields the packets that they complete. */
  *read(chunk: Buffer): Generator<Buffer> {
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
      yield rest.subarray(HEADER_BYTES, end);
      rest = rest.subarray(end);
    }
    this.#chunks = [rest];
    this.#bytes = rest.length;
  }
}
