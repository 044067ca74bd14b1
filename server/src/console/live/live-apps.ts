import { channelText, sign } from '@countersign/sdk-server/signature';
import { App, type AppStore, appSchema } from '../../apps/app.ts';
import { type Channel, readChannel } from '../../protocol/channel.ts';

/** Connections of all pages of one app. */
const MAX_CONNECTIONS = 200;
const KEY = /^console-(?<appId>.+)-[0-9a-f]{32}$/;

/** A built-in app that carries the live data of one app to the pages of the console. */
export interface LiveApp {
  /** In no list, quota, metric or webhook: clients find it by its key alone. */
  readonly app: App;
  readonly key: string;
  readonly secret: string;
  readonly channel: Channel;
}

/**
 * The built-in apps, one for each app. Their keys and secrets are derived from the secrets of that app, so all nodes
 * have the same, and a page loses its live data when the secret changes.
 */
export class LiveApps {
  readonly #apps: AppStore;
  readonly #onNew: (appId: string) => void;
  readonly #made = new WeakMap<App, LiveApp>();

  /** @param onNew is called with the id of each built-in app before its first use */
  constructor(apps: AppStore, onNew: (appId: string) => void) {
    this.#apps = apps;
    this.#onNew = onNew;
  }

  /** The built-in app of an app. */
  of(app: App): LiveApp {
    const key = `console-${app.id}-${derive(app, 'key').slice(0, 32)}`;
    const made = this.#made.get(app);
    if (made?.key === key) return made;
    const live = makeLiveApp(app, key);
    this.#onNew(live.app.id);
    this.#made.set(app, live);
    return live;
  }

  /** The apps that clients may connect to: the configured ones, and these. */
  get connectable(): AppStore {
    return {
      byKey: (key) => this.#byKey(key) ?? this.#apps.byKey(key),
      byId: (id) => this.#apps.byId(id),
      all: () => this.#apps.all(),
    };
  }

  #byKey(key: string): App | undefined {
    const app = this.#apps.byId(KEY.exec(key)?.groups?.['appId'] ?? '');
    const live = app && this.of(app);
    return live?.key === key ? live.app : undefined;
  }
}

/** The grant of one connection of a session. Its user id is the session id, by which a sign-out evicts it. */
export function authorize(
  { key, secret, channel }: LiveApp,
  socketId: string,
  sessionId: string,
): { readonly auth: string; readonly channel_data: string } {
  const data = JSON.stringify({ user_id: sessionId });
  return { auth: `${key}:${sign(secret, channelText(socketId, channel.name, data))}`, channel_data: data };
}

function makeLiveApp(app: App, key: string): LiveApp {
  const secret = derive(app, 'secret');
  const settings = appSchema.parse({
    id: app.id,
    keys: [{ key, secret }],
    clientEvents: false,
    requireUserAuthentication: true,
    limits: { connections: MAX_CONNECTIONS, presenceMembers: MAX_CONNECTIONS },
  });
  // No configured app can have this id.
  const id = `$console-${app.id}`;
  return {
    app: new App({ ...settings, id }),
    key,
    secret,
    channel: readChannel(`presence-console-${app.id}`)!,
  };
}

/** Derives a text from all secrets of an app. The signed texts cannot be texts that backends sign. */
function derive(app: App, purpose: string): string {
  return app.secrets.reduce((text, [key, secret]) => sign(secret, `console ${text}\n${key}`), purpose);
}
