import { expect, test } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { describeInChromium, freshContext } from './chromium.ts';
import { type Artefact, startSite } from './site.ts';
import { openTab } from './tab.ts';

describeInChromium('the published artefacts in a page with a strict policy', () => {
  test.each<Artefact>(['esm', 'script', 'vite'])(
    '%s: channels of every kind, client events, sign-in',
    async (artefact) => {
      const broker = await startServer();
      const countersign = countersignFor(broker);
      const site = await startSite(broker);
      const ann = await openTab(await freshContext(), site, { artefact, user: 'ann' });
      const bob = await openTab(await freshContext(), site, { artefact, user: 'bob' });
      for (const tab of [ann, bob]) {
        await tab.connect(broker.port);
        await tab.join('news', 'private-room', 'presence-lobby', 'private-encrypted-room');
      }
      await countersign.trigger('news', 'headline', { title: 'Grüße 🚀' });
      expect(await ann.next('news', 'headline')).toEqual({ title: 'Grüße 🚀' });
      expect(await bob.next('client', 'headline')).toEqual({ title: 'Grüße 🚀' });
      await countersign.trigger('private-encrypted-room', 'secret', { text: '漢字' });
      expect(await ann.next('private-encrypted-room', 'secret')).toEqual({ text: '漢字' });
      expect(await ann.next('presence-lobby', 'pusher:member_added')).toEqual({
        id: 'bob',
        info: { name: 'bob' },
      });
      expect(await ann.trigger('private-room', 'client-typing', { on: true })).toEqual({});
      expect(await bob.next('private-room', 'client-typing')).toEqual({ on: true });
      expect(await ann.signin()).toMatchObject({ id: 'ann' });
      // The broker answers in order, so the user's own channel is joined before this one.
      await ann.join('marker');
      await countersign.sendToUser('ann', 'mail', 1);
      expect(await ann.next('user', 'mail')).toBe(1);
      await ann.subscribe('private-forbidden');
      expect(await ann.next('private-forbidden', 'pusher:subscription_error')).toMatchObject({ status: 403 });
      await ann.expectHonest();
      await bob.expectHonest();
    },
  );
});
