import { channelText, sign } from '@countersign/sdk-server/signature';
import { App, type AppStore, appSchema } from '../../apps/app.ts';
import { type Channel, readChannel } from '../../protocol/channel.ts';

/** Connections that all pages of one app may have. */
const MAX_CONNECTIONS = 200;
const KEY = /^console-(?<appId>.+)-[0-9a-f]{32}$/;

/** What carries the live data of one app to the pages of the console. */
export interface LiveApp {
  /** An app of the broker's own, in no list, quota, metric or webhook: clients find it by its key alone. */
  readonly app: App;
  readonly key: string;
  readonly secret: string;
  readonly channel: Channel;
}

/**
 * The built-in apps, one beside each app. Their keys and secrets are derived from the secrets of that app, so all
 * nodes agree on them without a word, and who was let in by a secret is sent away when it changes.
 */
export class LiveApps {
  readonly #apps: AppStore;
  readonly #onNew: (appId: string) => void;
  readonly #made = new WeakMap<App, LiveApp>();

  /** @param onNew is told the id of each built-in app before it is used */
  constructor(apps: AppStore, onNew: (appId: string) => void) {
    this.#apps = apps;
    this.#onNew = onNew;
  }

  /** The one beside an app. */
  beside(app: App): LiveApp {
    const key = `console-${app.id}-${derive(app, 'key').slice(0, 32)}`;
    const made = this.#made.get(app);
    if (made?.key === key) return made;
    const live = makeLiveApp(app, key);
    this.#onNew(live.app.id);
    this.#made.set(app, live);
    return live;
  }

  /** The apps that clients find by a key: those of the configuration, and these. */
  get connectable(): AppStore {
    return {
      byKey: (key) => this.#byKey(key) ?? this.#apps.byKey(key),
      byId: (id) => this.#apps.byId(id),
      all: () => this.#apps.all(),
    };
  }

  #byKey(key: string): App | undefined {
    const app = this.#apps.byId(KEY.exec(key)?.groups?.['appId'] ?? '');
    const live = app && this.beside(app);
    return live?.key === key ? live.app : undefined;
  }
}

/** What lets one connection of a session into the channel, and out of it when the session ends. */
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
  // No app of a configuration can be called that.
  const id = `$console-${app.id}`;
  return {
    app: new App({ ...settings, id }),
    key,
    secret,
    channel: readChannel(`presence-console-${app.id}`)!,
  };
}

/** A text that nobody can tell who lacks one of the secrets; it is none of the texts that backends sign. */
function derive(app: App, purpose: string): string {
  return app.secrets.reduce((text, [key, secret]) => sign(secret, `console ${text}\n${key}`), purpose);
}
