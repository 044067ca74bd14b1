import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { configSchema } from '#server/config/config';
import { parseConfig } from '#server/config/load';
import { environmentVariables } from '#server/config/sources';

type Schema = z.core.JSONSchema.BaseSchema;
interface Row {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly environment?: string;
}

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const schema = z.toJSONSchema(configSchema, { io: 'input' });

/** The rows of the table whose first heading is given. */
function documented(heading: string): Row[] {
  const [, table = ''] = page.split(`| ${heading} |`);
  const [head = '', , ...lines] = table.split('\n\n')[0]?.split('\n') ?? [];
  const hasEnvironment = head.includes('Environment');
  return lines.map((line) => {
    const [name, type, value, environment] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'));
    return {
      name: name ?? '',
      type: type?.split(/ of `/)[0] ?? '',
      default: value ?? '',
      ...(hasEnvironment && { environment: environment ?? '' }),
    };
  });
}

/** The same rows as the schema has them. */
function declared(section: Schema, prefix = ''): Omit<Row, 'environment'>[] {
  return Object.entries(section.properties ?? {}).flatMap(([key, setting]) => {
    if (typeof setting === 'boolean') throw new Error(`${key} has no schema`);
    const name = prefix + key;
    if (setting.properties) return declared(setting, `${name}.`);
    const settings = setting.anyOf?.find((choice) => typeof choice === 'object' && choice.properties);
    const row = {
      name,
      type: typeOf(setting),
      default: setting.default === undefined ? '' : JSON.stringify(setting.default),
    };
    const items = setting.items;
    if (settings) return [row, ...declared(settings as Schema, `${name}.`)];
    const isNested = LISTS.includes(key) && typeof items === 'object' && !Array.isArray(items);
    return isNested ? [row, ...declared(items, `${name}[].`)] : [row];
  });
}

/** Lists of an app whose items have settings of their own. */
const LISTS = ['keys', 'history', 'webhooks', 'issuers'];

const NAMES = new Map([
  ['integer', 'whole number'],
  ['string', 'text'],
  ['boolean', 'true or false'],
  ['array', 'list'],
  ['object', 'texts by name'],
  ['null', 'null'],
]);

function typeOf(setting: Schema): string {
  if (setting.anyOf) {
    const choices = setting.anyOf.map((choice) => (typeof choice === 'object' ? typeOf(choice) : ''));
    if (choices.includes('null')) return choices.join(', or ');
    return choices
      .map((choice) => choice.replace(' or ', ', ').replace(/, from 1.*/, ''))
      .join(', ')
      .replace(/, (\w+)$/, ', or $1');
  }
  if (setting.properties) return 'settings';
  const name = NAMES.get(String(setting.type)) ?? '';
  if (setting.type === 'integer') return name + range(setting.minimum, setting.maximum, '');
  if (setting.type === 'string')
    return name + (setting.minLength === 1 ? '' : range(setting.minLength, setting.maxLength, ' characters'));
  if (setting.type === 'array') return name + range(setting.minItems, undefined, ' item');
  return name;
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  const isBounded = most !== undefined && most < Number.MAX_SAFE_INTEGER;
  if (least === undefined) return isBounded ? `, to ${most}${unit}` : '';
  return isBounded ? `, ${least} to ${most}${unit}` : `, from ${least}${unit}`;
}

/** One of the examples of the page. */
function example(name: string): unknown {
  return JSON.parse(new RegExp(`\`\`\`json ${name}\n(.*?)\`\`\``, 's').exec(page)?.[1] ?? '');
}

describe('docs/configuration.md', () => {
  test('its first table has every setting of the broker with type, default and environment variable', () => {
    const variables = new Map(
      Array.from(environmentVariables(configSchema), ([name, { path }]) => [path.join('.'), name]),
    );
    const rows = declared(schema).map((row) => ({ ...row, environment: variables.get(row.name) }));
    expect(documented('Setting')).toEqual(rows);
  });

  test('its second table has every setting of an app with type and default', () => {
    const apps = schema.properties?.['apps'];
    const app = typeof apps === 'object' ? apps.items : undefined;
    if (typeof app !== 'object' || Array.isArray(app)) throw new Error('apps has no items');
    const charsets = new Map([
      ['id', 'text, 1 to 64'],
      ['keys[].key', 'text, 1 to 128'],
      ['webhooks[].id', 'text, 1 to 64'],
      ['tokens.issuers[].publicKey', 'text, or a JSON Web Key'],
    ]);
    const rows = declared(app).map((row) => ({ ...row, type: charsets.get(row.name) ?? row.type }));
    expect(documented('Setting of an app')).toEqual(rows);
  });

  test.each(['minimal', 'full'])('its %s example is a valid configuration', (name) => {
    expect(parseConfig(example(name)).apps).toHaveLength(1);
  });

  test.each(['redis', 'sentinel', 'cluster'])('its %s example is a valid place for Redis', (name) => {
    expect(parseConfig(example(name)).redis).toBeDefined();
  });

  test('its full example and those of Redis set everything', () => {
    const given = (value: unknown, name = ''): string[] => {
      if (typeof value !== 'object' || value === null) return [name];
      if (Array.isArray(value))
        return ['apps', ...LISTS].some((list) => name.endsWith(list))
          ? [name, ...value.flatMap((item) => given(item, `${name}[]`))]
          : [name];
      if (name.endsWith('.headers') || name.endsWith('.roles')) return [name];
      const inner = Object.entries(value).flatMap(([key, each]) =>
        given(each, name ? `${name}.${key}` : key),
      );
      return name.endsWith('.renewal') || name.endsWith('.tokens') ? [name, ...inner] : inner;
    };
    const names = [
      ...documented('Setting').map(({ name }) => name),
      ...documented('Setting of an app').map(({ name }) => `apps[].${name}`),
    ];
    const examples = ['full', 'redis', 'sentinel', 'cluster'];
    expect(new Set(examples.flatMap((each) => given(example(each))))).toEqual(new Set(names));
  });
});
