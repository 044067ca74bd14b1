/** soketi: its JSON file, nested or with dots in its names. */
import { CommandError } from '../failure.ts';
import { camelCase, readApp } from './app-settings.ts';
import { isObject, nested, type SourceDocument } from './documents.ts';
import { configOf, type Imported } from './draft.ts';
import { Fields, type Ignored } from './fields.ts';
import { SERVER_SETTINGS } from './server-settings.ts';

const MS = 1000;

export function importSoketi({ form, value }: SourceDocument): Imported {
  if (form !== 'json' || !isObject(value))
    throw new CommandError('The file of soketi is an object of JSON', 'incomplete');
  const ignored: Ignored[] = [];
  const file = new Fields(nested(value), '', ignored);
  const manager = file.section('appManager');
  const array = manager.section('array');
  const apps = array.sections('apps').map((app) => readApp(app, camelCase));
  if (apps.length === 0) throw new CommandError('appManager.array.apps is missing', 'incomplete');
  const timeout = file.number('userAuthenticationTimeout');
  const config = configOf(apps, {
    host: file.text('host'),
    port: file.count('port'),
    pathPrefix: file.text('pathPrefix'),
    authenticationTimeoutSeconds: timeout === undefined ? undefined : Math.max(1, Math.round(timeout / MS)),
  });
  array.ignoreRest();
  manager.ignoreRest(SERVER_SETTINGS);
  file.ignoreRest(SERVER_SETTINGS);
  return { config, ignored };
}
