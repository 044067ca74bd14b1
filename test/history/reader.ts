import { expect } from 'vitest';
import { connectCapable, type TestClient } from '../helpers/clients/client.ts';

/** A client that is cut off and comes back, and what it got since it last was told that something is lost. */
export class Reader {
  client: TestClient | undefined;
  /** The position that it comes back with. */
  position: string | undefined;
  /** What it got without a gap: ids in order. */
  run: string[] = [];
  /** The runs before, each ended by `lost`. */
  readonly runs: string[][] = [];
  #replays = 0;
  #target: string | undefined;
  #isIn = false;
  /** For each acknowledgement that is to come, whether it is that of a new subscription. */
  #expected: boolean[] = [];
  #acknowledged = () => {};

  /** Subscribes, on the connection that it has or on a new one. */
  async resume(server: { readonly url: string }, channel: string): Promise<void> {
    let { client } = this;
    if (!client) {
      const opened = await connectCapable(server);
      opened.socket.on('message', (data) => {
        if (this.client === opened) this.read(data.toString());
      });
      opened.socket.on('close', () => {
        if (this.client === opened) this.cut();
      });
      client = opened;
      this.client = opened;
    }
    this.#expected.push(!this.#isIn);
    this.#isIn = true;
    client.subscribe(channel, this.position === undefined ? {} : { after: this.position });
  }

  /** Loses its connection, and everything that was asked for on it. */
  cut(): void {
    this.client?.close();
    this.client = undefined;
    this.#isIn = false;
    this.#expected = [];
    this.#acknowledged();
  }

  /** Whether it is subscribed, or waits to be. */
  get isIn(): boolean {
    return this.#isIn;
  }

  unsubscribe(channel: string): void {
    this.client?.unsubscribe(channel);
    this.#isIn = false;
  }

  /** Resolves when every subscribe is answered. */
  async acknowledged(): Promise<void> {
    while (this.#expected.length > 0) {
      await new Promise<void>((resolve) => {
        this.#acknowledged = resolve;
      });
    }
  }

  read(frame: string): void {
    const { event, data, position, recovery } = JSON.parse(frame);
    if (event === 'pusher_internal:subscription_succeeded') {
      const isNew = this.#expected.shift();
      this.#acknowledged();
      if (!isNew) return;
      if (recovery === undefined || recovery.status === 'lost') {
        this.runs.push(this.run);
        this.run = [];
      }
      this.#replays = recovery?.count ?? 0;
      this.#target = position;
      if (this.#replays === 0) this.position = position;
    } else if (event === 'pusher:subscription_error') {
      this.#expected.shift();
      this.#isIn = false;
      this.#acknowledged();
    } else if (event === 'e') {
      // Events of an earlier subscription of this connection may have been on their way when its position was sent.
      if (this.#replays === 0 || this.run.at(-1) === undefined || Number(data) > Number(this.run.at(-1))) {
        this.run.push(data);
      }
      this.position = position;
      if (this.#replays > 0) {
        this.#replays -= 1;
        expect(JSON.parse(frame).replayed).toBe(true);
        if (this.#replays === 0) expect(position).toBe(this.#target);
      } else {
        expect(JSON.parse(frame)).not.toHaveProperty('replayed');
      }
    }
  }
}
