import { createHmac } from 'node:crypto';
import { channelText, sign } from '@countersign/sdk-server/signature';
import { App, type AppStore, appSchema } from '../../apps/app.ts';
import { type Channel, readChannel } from '../../protocol/channel.ts';

/** No app of a configuration can be called that. */
const APP_ID = '$console';
/** Connections that all pages of the console may have. */
const MAX_CONNECTIONS = 1000;

/**
 * The app that carries live data to the pages of the console, one private channel for each app that is watched. It is
 * in no list, quota, metric or webhook, and clients find it by its key alone.
 */
export class BuiltInApp {
  readonly key: string;
  readonly #secret: string;
  #app: App;

  /** @param secret the same in all processes that serve one address */
  constructor(secret: Buffer) {
    this.key = `console-${derive(secret, 'key').slice(0, 32)}`;
    this.#secret = derive(secret, 'secret');
    this.#app = this.#make();
  }

  get app(): App {
    return this.#app;
  }

  /** Becomes another object, so that connections which have the old one are closed as those of a removed app are. */
  renew(): void {
    this.#app = this.#make();
  }

  /** The channel for the live data of an app. */
  channelOf({ id }: App): Channel {
    return readChannel(`private-console-${id}`)!;
  }

  /** The proof that lets one connection into one channel. */
  authorize(socketId: string, { name }: Channel): string {
    return `${this.key}:${sign(this.#secret, channelText(socketId, name))}`;
  }

  /** The apps that clients find by a key: those of a store, and this one. */
  withKeysOf(apps: AppStore): AppStore {
    return {
      byKey: (key) => (key === this.key ? this.#app : apps.byKey(key)),
      byId: (id) => apps.byId(id),
      all: () => apps.all(),
    };
  }

  #make(): App {
    const settings = appSchema.parse({
      id: 'console',
      keys: [{ key: this.key, secret: this.#secret }],
      clientEvents: false,
      requireUserAuthentication: true,
      limits: { connections: MAX_CONNECTIONS },
    });
    return new App({ ...settings, id: APP_ID });
  }
}

function derive(secret: Buffer, purpose: string): string {
  return createHmac('sha256', secret).update(purpose).digest('hex');
}
