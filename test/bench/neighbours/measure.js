/** Measures what a quiet app notices of a loud one on the same broker. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Countersign } from '@countersign/sdk-server';
import { WebSocket } from 'ws';
import { HOST, QUIET } from './apps.js';

/** How an app can be loud. */
export const WAYS = /** @type {const} */ (['fan-out', 'connecting', 'requests']);

const CHANNEL = 'news';
const SUBSCRIBERS = 5;
/** Milliseconds between two publishes. */
const PACE_MS = 100;
/** How much nicer the others are than this process, which is to notice at once what arrives. */
const NICENESS = 5;
/** Milliseconds until what was loud is done with, or has begun. */
const SETTLE_MS = 1000;

/**
 * @typedef {{ readonly port: number, readonly pid: number }} Place where the broker listens, and its process
 * @typedef {{ readonly wall: number[], readonly cpu: number[] }} Times
 *   milliseconds until all subscribers had an event, by the clock and by the processor time of the broker, which stands still while
 *   the machine does something else
 */

/**
 * Publishes ten times a second, by turns while the other app is quiet and while it is loud, so that whatever else the machine does is
 * in both figures.
 *
 * @param {Place} place
 * @param {(typeof WAYS)[number]} way
 * @param {{ readonly rounds: number, readonly publishes: number, readonly subscribers: number }} extent
 *   rounds of so many publishes in each state; subscribers of the loud app
 * @returns {Promise<{ readonly alone: Times, readonly beside: Times }>}
 */
export async function measure(place, way, { rounds, publishes, subscribers }) {
  const quiet = await QuietApp.open(place);
  const loud = fork(fileURLToPath(new URL('loud.js', import.meta.url)), [
    String(place.port),
    way,
    String(subscribers),
  ]);
  try {
    await once(loud, 'message');
    for (const pid of [place.pid, loud.pid ?? 0]) setPriority(pid, NICENESS);
    const times = { alone: noTimes(), beside: noTimes() };
    for (let round = 0; round < rounds; round += 1) {
      await quiet.measure(publishes, times.alone);
      loud.send('begin');
      await sleep(SETTLE_MS);
      await quiet.measure(publishes, times.beside);
      loud.send('pause');
      await sleep(SETTLE_MS);
    }
    return times;
  } finally {
    loud.kill('SIGKILL');
    quiet.close();
  }
}

/** The most that a quiet app may notice: twice what it takes alone, and 20 ms. @param {readonly number[]} alone */
export function allowed(alone) {
  return 2 * quantile(alone, 0.99) + 20;
}

/** @param {readonly number[]} times @param {number} share */
export function quantile(times, share) {
  return /** @type {number} */ ([...times].sort((a, b) => a - b)[Math.ceil(times.length * share) - 1]);
}

/** @returns {Times} */
const noTimes = () => ({ wall: [], cpu: [] });

/** Milliseconds of processor time that the broker has used. @param {number} pid */
function cpuOf(pid) {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
}

class QuietApp {
  #backend;
  #pid;
  /** @type {WebSocket[]} */
  #subscribers = [];
  /** What is to be done with an event. */
  #arrived = () => {};

  /** @param {Place} place */
  constructor({ port, pid }) {
    this.#backend = new Countersign({
      appId: QUIET.id,
      key: QUIET.key,
      secret: QUIET.secret,
      host: HOST,
      port,
    });
    this.#pid = pid;
  }

  /** @param {Place} place */
  static async open(place) {
    const app = new QuietApp(place);
    for (let n = 0; n < SUBSCRIBERS; n += 1) await app.#subscribe(place.port);
    return app;
  }

  /** @param {number} port */
  async #subscribe(port) {
    const socket = new WebSocket(`ws://${HOST}:${port}/app/${QUIET.key}?protocol=7`);
    this.#subscribers.push(socket);
    await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', (frame) => {
        const { event } = JSON.parse(frame.toString());
        if (event === 'pusher:connection_established')
          socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: CHANNEL } }));
        else if (event === 'pusher_internal:subscription_succeeded') resolve(undefined);
        else if (event === 'pusher:ping') socket.send('{"event":"pusher:pong"}');
        else this.#arrived();
      });
    });
  }

  /** @param {number} publishes @param {Times} times */
  async measure(publishes, { wall, cpu }) {
    for (let left = publishes; left > 0; left -= 1) {
      const [at, cpuAt] = [performance.now(), cpuOf(this.#pid)];
      let missing = SUBSCRIBERS;
      const delivered = new Promise((resolve) => {
        this.#arrived = () => {
          missing -= 1;
          if (missing > 0) return;
          cpu.push(cpuOf(this.#pid) - cpuAt);
          wall.push(performance.now() - at);
          resolve(undefined);
        };
      });
      await this.#backend.trigger(CHANNEL, 'e', left);
      await delivered;
      await sleep(Math.max(0, PACE_MS - (performance.now() - at)));
    }
  }

  close() {
    for (const socket of this.#subscribers) socket.terminate();
  }
}
