import { channelText, sign } from '@countersign/sdk-server/signature';
import type { Broker } from '@countersign/server';
import { onTestFinished } from 'vitest';
import { publish } from '../helpers/api.ts';
import { APP } from '../helpers/brokers/server.ts';
import { authorize, connect, open, type TestClient } from '../helpers/clients/client.ts';

/** The app of the scene: its second key is a new one. */
export const SCENE_APP = {
  name: 'Acme',
  keys: [
    { key: APP.key, secret: APP.secret },
    { key: 'key-2', secret: 'secret-2' },
  ],
};
/** Length of the scene in seconds; a longer scene fills the charts, for pictures. */
const SECONDS = Number(process.env['SCENE_SECONDS'] ?? 3);

const LIBRARIES = [
  'client=js&version=8.6.0',
  'client=countersign-js&version=0.1.0',
  'client=pusher-websocket-swift&version=10.1.5',
];
const PEOPLE = ['Ann', 'Bob', 'Cho', 'Dev', 'Eve', 'Finn', 'Gül', 'Hugo', 'Ida', 'Jon', 'Kim', 'Lea'];

/** An app at work: users connect one after the other, events are published, and two proofs are invalid. */
export async function playScene(broker: Broker): Promise<void> {
  const clients: TestClient[] = [];
  const pauseMs = (SECONDS * 1000) / PEOPLE.length / 4;
  for (const [n, name] of PEOPLE.entries()) {
    const library = LIBRARIES[n % LIBRARIES.length];
    const client = await open(broker, `/app/${APP.key}?protocol=7&${library}`).established();
    clients.push(client);
    await client.join('news');
    await client.join('presence-lobby', { user_id: `${n + 1}`, user_info: { name } });
    if (n % 2 === 0) await client.join(`private-orders-${n + 1}`);
    for (let beat = 0; beat < 4; beat += 1) {
      const events = 1 + ((n * 7 + beat * 5) % 6);
      for (let event = 0; event < events; event += 1) {
        await publish(broker, 'news', 'headline', JSON.stringify({ id: n * 100 + event, title: 'It works' }));
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  await refuseCachedAnswer(broker);
  await refuseDataSerializedAgain(broker);
  startPulse(broker);
}

/** Publishes events until the end of the test. */
function startPulse(broker: Broker): void {
  let n = 0;
  const timer = setInterval(() => {
    n += 1;
    publish(broker, n % 3 === 0 ? 'presence-lobby' : 'news', 'headline', JSON.stringify({ id: n })).catch(
      () => {
        clearInterval(timer);
      },
    );
  }, 150);
  onTestFinished(() => clearInterval(timer));
}

/** A backend that caches its answer gives one connection the signature of another. */
async function refuseCachedAnswer(broker: Broker): Promise<void> {
  const [before, now] = [await connect(broker), await connect(broker)];
  now.subscribe('private-orders-7', { auth: authorize(before.socketId, 'private-orders-7') });
  await now.next();
}

/** A backend signs the text that one library printed, and sends that of another. */
async function refuseDataSerializedAgain(broker: Broker): Promise<void> {
  const client = await connect(broker);
  const signed = channelText(client.socketId, 'presence-lobby', '{"user_id":"13"}');
  const auth = `key-2:${sign('secret-2', signed)}`;
  client.subscribe('presence-lobby', { auth, channel_data: '{"user_id": "13"}' });
  await client.next();
}
