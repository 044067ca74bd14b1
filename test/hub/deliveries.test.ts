import { describe, expect, test } from 'vitest';
import type { Moment } from '../helpers/clients/actor.ts';
import { checkDeliveries, type Delivered } from '../helpers/deliveries.ts';
import { frames } from '../helpers/frames.ts';

const CHANNEL = 'cache-news';

/** An event that another subscriber, present throughout, received at `seen`. */
function event(id: string, began: number, seen: number): Delivered {
  return { id, channel: CHANNEL, began, seen, except: undefined };
}

/** The moments of an actor that subscribes at 10, is acknowledged at 11, and then receives frames one by one. */
function subscriber(...received: string[]): { socketId: string; moments: Moment[] } {
  const answers = [frames.subscribed(CHANNEL), ...received];
  return {
    socketId: '1.1',
    moments: [
      { at: 10, kind: 'asked', what: 'subscribe', channel: CHANNEL },
      ...answers.map((frame, index): Moment => ({ at: 11 + index, kind: 'received', frame })),
    ],
  };
}

const carries = (id: string) => frames.event('e', CHANNEL, id);
const miss = `{"event":"pusher:cache_miss","channel":"${CHANNEL}","data":"{}"}`;

describe('what a subscriber of a cache channel must receive', () => {
  // Both were published before the subscribe, and the network brings them to the others after it.
  const overtaken = [event('0', 1, 20), event('1', 2, 21)];

  test('is the kept event, not what the kept event replaced, however late others receive that', () => {
    expect(() => checkDeliveries(subscriber(carries('1')), CHANNEL, overtaken)).not.toThrow();
  });

  test('is everything after the kept event', () => {
    expect(() => checkDeliveries(subscriber(carries('0'), carries('1')), CHANNEL, overtaken)).not.toThrow();
    expect(() => checkDeliveries(subscriber(carries('0')), CHANNEL, overtaken)).toThrow('1 did not come');
  });

  test('is every event where nothing was kept', () => {
    expect(() => checkDeliveries(subscriber(miss, carries('1')), CHANNEL, overtaken)).toThrow(
      '0 did not come',
    );
  });

  test('is what was published after the acknowledgement, whatever was kept', () => {
    const later = [event('0', 1, 2), event('1', 30, 31)];
    expect(() => checkDeliveries(subscriber(carries('0')), CHANNEL, later)).toThrow('1 did not come');
  });

  test('is in order, and nothing twice', () => {
    const all = [event('0', 1, 20), event('1', 2, 21), event('2', 30, 31)];
    const twice = subscriber(carries('0'), carries('1'), carries('1'), carries('2'));
    expect(() => checkDeliveries(twice, CHANNEL, all)).toThrow('1 came twice');
    const turned = subscriber(carries('0'), carries('2'), carries('1'));
    expect(() => checkDeliveries(turned, CHANNEL, all)).toThrow('out of order');
  });
});
