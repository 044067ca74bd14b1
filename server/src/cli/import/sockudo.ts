/** Sockudo: its JSON file. */
import { CommandError } from '../failure.ts';
import { readApp, snakeCase } from './app-settings.ts';
import { isObject, type SourceDocument } from './documents.ts';
import { configOf, type Imported } from './draft.ts';
import { Fields, type Ignored } from './fields.ts';
import { SERVER_SETTINGS } from './server-settings.ts';

export function importSockudo({ form, value }: SourceDocument): Imported {
  if (form !== 'json' || !isObject(value))
    throw new CommandError('The file of Sockudo is an object of JSON', 'incomplete');
  const ignored: Ignored[] = [];
  const file = new Fields(value, '', ignored);
  const manager = file.section('app_manager');
  const array = manager.section('array');
  const apps = array.sections('apps').map((app) => readApp(app, snakeCase));
  if (apps.length === 0) throw new CommandError('app_manager.array.apps is missing', 'incomplete');
  const config = configOf(apps, {
    host: file.text('host'),
    port: file.count('port'),
    pathPrefix: file.text('path_prefix'),
    authenticationTimeoutSeconds: file.count('user_authentication_timeout'),
  });
  array.ignoreRest();
  manager.ignoreRest(SERVER_SETTINGS);
  file.ignoreRest(SERVER_SETTINGS);
  return { config, ignored };
}
