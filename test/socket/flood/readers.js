// Many raw sockets in a process of their own. Each is upgraded by hand and subscribes; what then arrives is read
// frame by frame, without a WebSocket library in between.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const [port, path, channel, count] = process.argv.slice(2);
/**
 * Milliseconds from publish to receipt, of a sample.
 *
 * @type {number[]}
 */
const latencies = [];
/** @type {Reader[]} */
const readers = [];
let subscribed = 0;

class Reader {
  expected = 0;
  received = 0;
  faults = 0;
  /** @type {Buffer} */
  #rest = Buffer.alloc(0);
  #upgraded = false;

  constructor() {
    this.socket = connect(Number(port), '127.0.0.1', () => {
      this.socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      );
    });
    this.socket.on('data', (bytes) => this.#read(bytes));
    this.socket.on('error', () => {
      this.faults += 1;
    });
  }

  /** @param {Buffer} bytes */
  #read(bytes) {
    let rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    if (!this.#upgraded) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = rest;
        return;
      }
      this.#upgraded = true;
      rest = rest.subarray(end + 4);
      this.socket.write(masked(JSON.stringify({ event: 'pusher:subscribe', data: { channel } })));
    }
    for (;;) {
      const frame = takeFrame(rest);
      if (!frame) break;
      rest = rest.subarray(frame.end);
      this.#take(frame.payload);
    }
    this.#rest = rest;
  }

  /** @param {Buffer} payload */
  #take(payload) {
    const text = payload.toString();
    const event = /^{"event":"flood","channel":"[^"]+","data":"(\d+) (\d+)"}$/.exec(text);
    if (event) {
      if (Number(event[1]) !== this.expected) this.faults += 1;
      this.expected = Number(event[1]) + 1;
      this.received += 1;
      if (this.received % 20 === 0) latencies.push(Date.now() - Number(event[2]));
    } else if (text.includes('subscription_succeeded')) {
      subscribed += 1;
      if (subscribed === Number(count)) process.send?.('subscribed');
    }
  }
}

/** @param {Buffer} bytes */
function takeFrame(bytes) {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const header = short === 126 ? 4 : 2;
  if (bytes.length < header) return undefined;
  const size = short === 126 ? bytes.readUInt16BE(2) : short;
  const end = header + size;
  return bytes.length < end ? undefined : { payload: bytes.subarray(header, end), end };
}

/**
 * Clients must mask; a mask of zeros leaves the text as it is.
 *
 * @param {string} text
 */
function masked(text) {
  const size = Buffer.byteLength(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | size, 0, 0, 0, 0]), Buffer.from(text)]);
}

process.on('message', (/** @type {'stop' | { total: number, until: number }} */ question) => {
  if (question === 'stop') {
    for (const { socket } of readers) socket.destroy();
    process.disconnect();
    return;
  }
  const { total } = question;
  const report = () => {
    const behind = readers.filter(({ received }) => received < total).length;
    if (behind > 0 && Date.now() < question.until) return setTimeout(report, 20);
    latencies.sort((a, b) => a - b);
    process.send?.({
      behind,
      faults: readers.reduce((sum, { faults }) => sum + faults, 0),
      p50: latencies[Math.floor(latencies.length / 2)],
      p99: latencies[Math.floor(latencies.length * 0.99)],
    });
  };
  report();
});

for (let index = 0; index < Number(count); index += 1) readers.push(new Reader());
