import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Message } from '#server/adapter/adapter';
import { NO_JOURNAL } from '#server/adapter/journal';
import { NOTHING_DONE } from '#server/adapter/questions';
import type { KeyedRequest } from '#server/idempotency/records';
import type { Subject } from './adapter.contract.ts';

const topic = 'app:news';
const SECONDS = 600;
const history = { channels: '*', seconds: 60, messages: 5, rewind: 0 };

function requestOf(id: string, parts: Partial<KeyedRequest> = {}): KeyedRequest {
  return { id, fingerprint: 'one', channels: ['news'], hasAnswer: false, ...parts };
}

/** The promises of every store of what was published under an idempotency key. */
export function idempotencyContract(name: string, make: () => Subject | Promise<Subject>): void {
  describe(`${name} publishes once what has an idempotency key`, () => {
    let subject: Subject;
    let received: string[];

    beforeEach(async () => {
      subject = await make();
      const inbox: string[] = [];
      received = inbox;
      const deliver = (message: Message) => {
        if (message.kind === 'event') inbox.push(message.data);
      };
      subject.adapter.attach(
        {
          deliver,
          obey: () => {},
          missed: async () => {},
          answer: async () => NOTHING_DONE,
          proveAgain: () => {},
          lapsed: () => {},
        },
        NO_JOURNAL,
      );
      await subject.adapter.bus.listen(topic);
    });
    afterEach(() => subject.adapter.close());

    const begin = (...requests: KeyedRequest[]) =>
      subject.adapter.idempotency.begin('app', requests, SECONDS);
    const publish = (id: string, data: string, keep = {}, fingerprint = 'one') =>
      subject.adapter.bus.publishOnce(
        { kind: 'event', topic, name: 'e', data },
        { id, fingerprint, seconds: SECONDS },
        keep,
      );

    test('an event is published once, and its position is known', async () => {
      await begin(requestOf('a'));
      const first = await publish('a', '1', { history });
      expect(first).toEqual({ position: expect.any(String), isNew: true });
      expect(await begin(requestOf('a'))).toEqual(['open']);
      expect(await publish('a', '1', { history })).toEqual({ position: first.position, isNew: false });
      await begin(requestOf('b'));
      expect(await publish('b', '2')).toEqual({ position: undefined, isNew: true });
      expect(await publish('b', '2')).toEqual({ position: undefined, isNew: false });
      await expect.poll(() => received).toEqual(['1', '2']);
    });

    test('of several at the same moment one is published', async () => {
      await begin(requestOf('a'));
      const published = await Promise.all(Array.from({ length: 10 }, () => publish('a', '1')));
      expect(published.filter(({ isNew }) => isNew)).toHaveLength(1);
    });

    test('another request under the same key is a mismatch, and nothing beside it is begun', async () => {
      await begin(requestOf('a'));
      const other = requestOf('a', { fingerprint: 'two' });
      expect(await begin(requestOf('b', { hasAnswer: true }), other)).toBe('mismatch');
      expect(await begin(requestOf('b', { fingerprint: 'two' }))).toEqual(['open']);
    });

    test('one request works on an answer, and the others get it', async () => {
      const asking = requestOf('a', { hasAnswer: true });
      expect(await begin(asking)).toEqual(['open']);
      expect(await begin(asking, requestOf('b'))).toEqual(['running', 'open']);
      await subject.adapter.idempotency.end('app', 'a', undefined);
      expect(await begin(asking)).toEqual(['open']);
      expect(await begin(asking)).toEqual(['running']);
      await subject.adapter.idempotency.end('app', 'a', '[{"n":"1 2"}]');
      expect(await begin(asking)).toEqual([{ answer: '[{"n":"1 2"}]' }]);
    });

    test('apps are separate', async () => {
      await begin(requestOf('a'));
      const other = requestOf('a', { fingerprint: 'two' });
      expect(await subject.adapter.idempotency.begin('other', [other], SECONDS)).toEqual(['open']);
    });

    test('a request is known for its time', async () => {
      await begin(requestOf('a'));
      await publish('a', '1');
      await subject.advance((SECONDS - 60) * 1000);
      expect(await begin(requestOf('a', { fingerprint: 'two' }))).toBe('mismatch');
      expect(await publish('a', '1')).toMatchObject({ isNew: false });
      await subject.advance(120_000);
      expect(await begin(requestOf('a', { fingerprint: 'two' }))).toEqual(['open']);
      expect(await publish('a', '2', {}, 'two')).toMatchObject({ isNew: true });
    });
  });
}
