/** Laravel Reverb: its `.env`, or its configuration as JSON. */
import type { AppInput } from '../../apps/app.ts';
import { CommandError } from '../failure.ts';
import { isObject, nested, type SourceDocument } from './documents.ts';
import { appOf, configOf, credentialsOf, type Imported } from './draft.ts';
import { Fields, type Ignored } from './fields.ts';
import { originsOf } from './origins.ts';

const ADDRESS = 'it is the address that clients and backends call: give them the one of this broker';
const PINGS = 'set "activityTimeoutSeconds" and "pongTimeoutSeconds" (docs/configuration.md)';
const RATE = 'set "limits.framesPerSecond" and "limits.clientEventsPerSecond" of the app';
const SCALING = 'set "redis" (docs/scaling.md)';
const SERVER = 'set what the server needs by itself (docs/configuration.md)';

const ENV_WHY = {
  REVERB_HOST: ADDRESS,
  REVERB_PORT: ADDRESS,
  REVERB_SCHEME: ADDRESS,
  REVERB_SCALING_ENABLED: SCALING,
  REVERB_SCALING_CHANNEL: SCALING,
  REVERB_APP_PING_INTERVAL: PINGS,
  REVERB_APP_RATE_LIMITING_ENABLED: RATE,
  REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS: RATE,
  REVERB_APP_RATE_LIMIT_DECAY_SECONDS: RATE,
  REVERB_APP_RATE_LIMIT_TERMINATE: RATE,
  REVERB_MAX_REQUEST_SIZE: SERVER,
};

const APP_WHY = { options: ADDRESS, ping_interval: PINGS, rate_limiting: RATE };

/** The names of an app's settings, in one of the two forms. */
type Names = (name: string) => string;

const ENV_NAMES: Names = (name) => (name === 'app_id' ? 'REVERB_APP_ID' : `REVERB_APP_${name.toUpperCase()}`);

export function importReverb({ form, value }: SourceDocument): Imported {
  const ignored: Ignored[] = [];
  if (form === 'env') {
    const ours = Object.entries(value).filter(([name]) => name.startsWith('REVERB_'));
    const fields = new Fields(Object.fromEntries(ours), '', ignored);
    const config = configOf([readApp(fields, ENV_NAMES)], {
      host: fields.text('REVERB_SERVER_HOST'),
      port: fields.count('REVERB_SERVER_PORT'),
      pathPrefix: fields.text('REVERB_SERVER_PATH'),
    });
    fields.ignoreRest(ENV_WHY);
    return { config, ignored };
  }
  if (!isObject(value)) throw new CommandError('The file of Reverb is an object', 'incomplete');
  // `php artisan config:show` and dumps of the configuration put the name of the file around it.
  const whole = nested(value);
  const isWrapped = isObject(whole['reverb']) && !('apps' in whole);
  const root = new Fields(whole, '', ignored);
  const file = isWrapped ? root.section('reverb') : root;
  const section = file.section('apps');
  const apps = section.sections('apps').map((app) => {
    const read = readApp(app, (name) => name);
    app.ignoreRest(APP_WHY);
    return read;
  });
  if (apps.length === 0) throw new CommandError(`${section.at('apps')} is missing`, 'incomplete');
  section.ignoreRest({ provider: 'apps are in the configuration, or made over the admin API' });
  const servers = file.section('servers');
  const server = servers.section('reverb');
  const config = configOf(apps, {
    host: server.text('host'),
    port: server.count('port'),
    pathPrefix: server.text('path'),
  });
  server.ignoreRest({ scaling: SCALING, options: 'set "tls" (docs/configuration.md)', hostname: ADDRESS });
  servers.ignoreRest();
  file.ignoreRest({ default: 'there is one server' });
  return { config, ignored };
}

function readApp(app: Fields, as: Names): AppInput {
  const from = app.text(as('accept_client_events_from'));
  if (from === 'members') {
    app.ignored.push({
      path: app.at(as('accept_client_events_from')),
      why: 'client events are always accepted from subscribers only',
    });
  }
  return appOf({
    ...credentialsOf(app, { id: as('app_id'), key: as('key'), secret: as('secret') }),
    name: app.text(as('name')),
    allowedOrigins: originsOf(app, as('allowed_origins')),
    activityTimeoutSeconds: app.count(as('activity_timeout')),
    clientEvents: from === undefined ? undefined : from !== 'none',
    limits: {
      connections: app.countOrUnlimited(as('max_connections')),
      eventDataBytes: app.count(as('max_message_size')),
    },
  });
}
