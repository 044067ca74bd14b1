import { beforeEach, describe, expect, test } from 'vitest';
import { type News, Subscription } from '#server/hub/subscriptions/subscription';

const event = (version: number) => ({ frame: Buffer.from(`event ${version}`), version, isEvent: true });
const member = (version: number) => ({ frame: Buffer.from(`member ${version}`), version, isEvent: false });
const text = (sent: readonly (Buffer | News)[]) =>
  sent.map((each) => String('frame' in each ? each.frame : each));

describe('a subscription', () => {
  let sent: Buffer[];
  let subscription: Subscription;
  const subscriber = {
    socketId: '1.1',
    since: 0,
    client: 'test/1',
    address: '127.0.0.1',
    user: undefined,
    send: (frame: Buffer) => sent.push(frame),
    lose: () => {},
    isCapable: false,
    arrivedUntil: 0,
    bufferedBytes: 0,
    renew: async () => {},
    reconnect: () => {},
    expel: () => {},
    silence: () => {},
    isSilent: false,
    openedAfter: 0,
    drained: async () => true,
    dropSlowReader: () => {},
  };
  const offer = (news: ReturnType<typeof event>) => subscription.deliver(subscriber, news);

  beforeEach(() => {
    sent = [];
    subscription = new Subscription({ key: undefined, member: { userId: 'ann' }, claims: undefined });
  });

  test('buffers messages until its first snapshot, which includes everything up to its version', () => {
    for (const news of [member(1), event(2), event(3), member(4)]) expect(offer(news)).toBe(false);
    expect(text(subscription.start(2))).toEqual(['event 3', 'member 4']);
    expect(sent).toEqual([]);
  });

  test('drops what arrives late and was in the snapshot', () => {
    subscription.start(5);
    for (const news of [event(4), member(5), event(6), member(7)]) offer(news);
    expect(text(sent)).toEqual(['event 6', 'member 7']);
  });

  test('buffers messages until a later snapshot, which holds the roster and no event', () => {
    subscription.start(1);
    subscription.buffer();
    for (const news of [event(2), member(3), member(4), event(5)]) expect(offer(news)).toBe(false);
    expect(text(subscription.resume(3))).toEqual(['event 2', 'member 4', 'event 5']);
  });

  test('loses no event that arrives after a later snapshot and is older', () => {
    subscription.start(1);
    subscription.buffer();
    subscription.resume(3);
    for (const news of [event(2), member(3)]) offer(news);
    expect(text(sent)).toEqual(['event 2']);
  });

  test('buffers messages until the last of two snapshots, in either order', () => {
    subscription.start(1);
    subscription.buffer();
    subscription.buffer();
    for (const news of [member(2), member(4), member(6)]) offer(news);
    expect(text(subscription.resume(5))).toEqual([]);
    expect(subscription.isAhead(3)).toBe(true);
    expect(text(subscription.resume(3))).toEqual(['member 6']);
    offer(member(7));
    expect(text(sent)).toEqual(['member 7']);
  });

  test('goes on as before when no later snapshot comes', () => {
    subscription.start(1);
    subscription.buffer();
    for (const news of [member(1), member(2)]) offer(news);
    expect(text(subscription.resume())).toEqual(['member 2']);
  });

  test('fails if too many messages wait for a snapshot', () => {
    for (let version = 1; version <= 10_001; version += 1) offer(event(version));
    expect(() => subscription.start(1)).toThrow('Too many frames waited for one snapshot');
  });
});
