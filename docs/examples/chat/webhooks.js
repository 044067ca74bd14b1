import { webhookRouter } from '@countersign/sdk-server/express';
import { WEBHOOKS } from './rooms.js';

/** Deliveries that are kept. */
const KEPT = 50;

/**
 * Receives webhooks: shows each event at once to who is looking, and keeps the last for who looks later.
 *
 * @param {import('@countersign/sdk-server').Countersign} countersign
 * @param {string} secret of the webhook
 */
export function receiveWebhooks(countersign, secret) {
  /** @type {Map<string, readonly object[]>} the events by the id of their delivery, the newest last */
  const deliveries = new Map();
  const router = webhookRouter(countersign, {
    secret,
    // Where our answer was lost, a delivery comes again.
    seen: (id) => deliveries.has(id),
    onEvents: async (events, { id }) => {
      const shown = events.map(withoutData);
      for (const event of shown) await countersign.trigger(WEBHOOKS, 'received', event);
      deliveries.set(id, shown);
      for (const oldest of deliveries.keys()) {
        if (deliveries.size <= KEPT) break;
        deliveries.delete(oldest);
      }
    },
  });
  return { router, latest: () => [...deliveries.values()].flat() };
}

/**
 * What a client published may be as large as an event can be, and leave no room for what is said about it.
 *
 * @param {import('@countersign/sdk-server').WebhookEvent} event
 */
function withoutData(event) {
  return event.name === 'client_event' ? { ...event, data: undefined } : event;
}
