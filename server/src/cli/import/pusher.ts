/** Pusher: the credentials of an app, as `.env` or as JSON. */
import { CommandError } from '../failure.ts';
import { isObject, type SourceDocument, type Values } from './documents.ts';
import { appOf, type CredentialNames, configOf, credentialsOf, type Imported } from './draft.ts';
import { Fields, type Ignored } from './fields.ts';

const ENV: CredentialNames = { id: 'PUSHER_APP_ID', key: 'PUSHER_APP_KEY', secret: 'PUSHER_APP_SECRET' };
const JSON_NAMES: readonly CredentialNames[] = [
  ENV,
  { id: 'app_id', key: 'key', secret: 'secret' },
  { id: 'appId', key: 'key', secret: 'secret' },
  { id: 'id', key: 'key', secret: 'secret' },
];

const CLUSTER =
  'it names servers of Pusher: give clients "wsHost", and server libraries "host", of this broker';
const ADDRESS = 'it is the address that the backend calls: give it the one of this broker';
const WHY = {
  cluster: CLUSTER,
  PUSHER_APP_CLUSTER: CLUSTER,
  PUSHER_CLUSTER: CLUSTER,
  host: ADDRESS,
  PUSHER_HOST: ADDRESS,
  PUSHER_PORT: ADDRESS,
  PUSHER_SCHEME: ADDRESS,
};

export function importPusher({ form, value }: SourceDocument): Imported {
  const ignored: Ignored[] = [];
  if (form === 'env') {
    const ours = Object.entries(value).filter(([name]) => name.startsWith('PUSHER_'));
    return { config: configOf([readApp(Object.fromEntries(ours), '', ignored)]), ignored };
  }
  const [apps, at] = appsIn(value);
  const config = configOf(apps.map((app, index) => readApp(app, `${at}[${index}]`, ignored)));
  return { config, ignored };
}

/** One app, a list of apps, or a list in `apps`. */
function appsIn(value: unknown): readonly [apps: readonly unknown[], path: string] {
  if (Array.isArray(value)) return [value, ''];
  if (isObject(value) && Array.isArray(value['apps'])) return [value['apps'], 'apps'];
  return [[value], ''];
}

function readApp(value: unknown, path: string, ignored: Ignored[]) {
  if (!isObject(value)) throw new CommandError(`${path === '' ? 'The file' : path} is no app`, 'incomplete');
  const fields = new Fields(value, path === '[0]' ? '' : path, ignored);
  const app = appOf({ ...credentialsOf(fields, namesIn(value)), name: fields.text('name') });
  fields.ignoreRest(WHY);
  return app;
}

function namesIn(value: Values): CredentialNames {
  return JSON_NAMES.find(({ id }) => id in value) ?? ENV;
}
