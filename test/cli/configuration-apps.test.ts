import { describe, expect, test } from 'vitest';
import { App, type AppConfig, type AppInput } from '#server/apps/app';
import { FileAppStore } from '#server/apps/file-store';
import { parseConfig } from '#server/config/load';

const input: AppInput = { id: 'app-1', keys: [{ key: 'key-1', secret: 'secret-1' }] };

function configOf(changes: Partial<AppInput> = {}): AppConfig {
  const [app] = parseConfig({ apps: [{ ...input, ...changes }] }).apps;
  if (!app) throw new Error('no app');
  return app;
}

describe('an app', () => {
  test('is called by its id where it has no name', () => {
    expect(new App(configOf()).name).toBe('app-1');
    expect(new App(configOf({ name: 'Acme' })).name).toBe('Acme');
  });

  test('knows its keys and the secret of each', () => {
    const app = new App(
      configOf({
        keys: [
          { key: 'old', secret: 'secret-of-old' },
          { key: 'new', secret: 'secret-of-new' },
        ],
      }),
    );
    expect(app.keys).toEqual(['old', 'new']);
    expect(app.keyOf('new')?.secret?.export().toString()).toBe('secret-of-new');
    expect(app.keyOf('old')?.secret).toBe(app.keyOf('old')?.secret);
  });

  test.each(['__proto__', 'constructor', 'key-2', ''])('has no key "%s"', (key) => {
    const app = new App(configOf());
    expect(app.hasKey(key)).toBe(false);
    expect(app.keyOf(key)?.secret).toBeUndefined();
  });

  test('shows new settings after an update', () => {
    const app = new App(configOf());
    app.update(configOf({ enabled: false, keys: [{ key: 'key-2', secret: 'secret-2' }] }));
    expect(app.enabled).toBe(false);
    expect(app.hasKey('key-1')).toBe(false);
    expect(app.hasKey('key-2')).toBe(true);
  });

  test.each<[allowed: string[], origin: string | undefined, isAllowed: boolean]>([
    [['*'], 'https://anything.example', true],
    [[], undefined, true],
    [[], 'https://a.example', false],
    [['https://a.example'], 'https://a.example', true],
    [['https://a.example'], 'HTTPS://A.example', true],
    [['https://a.example'], 'http://a.example', false],
    [['https://a.example'], 'https://a.example:8443', false],
    [['https://a.example'], 'https://a.example.evil.example', false],
    [['https://a.example'], 'null', false],
    [['capacitor://localhost'], 'capacitor://localhost', true],
    [['tauri://localhost'], 'tauri://localhost', true],
    [['app://.'], 'app://.', true],
    [['app://'], 'app://', true],
    [['file://'], 'file://', true],
    [['null'], 'null', true],
    [['file://'], 'null', false],
    [['null'], 'file://', false],
    [['https://a.example', 'null'], 'https://b.example', false],
    [['https://*.a.example'], 'https://www.a.example', true],
    [['https://*.a.example'], 'https://x.www.a.example', true],
    [['https://*.a.example'], 'https://a.example', false],
    [['https://*.a.example'], 'https://.a.example', false],
    [['https://*.a.example'], 'https://evila.example', false],
    [['https://*.a.example'], 'https://evil.example/.a.example', false],
    [['https://*.a.example'], 'http://www.a.example', false],
    [['https://*.a.example:8443'], 'https://www.a.example:8443', true],
    [['https://*.a.example:8443'], 'https://www.a.example', false],
  ])('with %j, the origin %s is allowed: %s', (allowedOrigins, origin, isAllowed) => {
    expect(new App(configOf({ allowedOrigins })).allowsOrigin(origin)).toBe(isAllowed);
  });
});

describe('the apps of the configuration', () => {
  const other = configOf({ id: 'app-2', keys: [{ key: 'key-2', secret: 'secret-2' }] });

  test('are found by id and by key', () => {
    const store = new FileAppStore([configOf(), other]);
    expect(store.byId('app-2')?.id).toBe('app-2');
    expect(store.byKey('key-1')?.id).toBe('app-1');
    expect(Array.from(store.all(), ({ id }) => id)).toEqual(['app-1', 'app-2']);
  });

  test.each(['__proto__', 'constructor', 'hasOwnProperty'])('hold nothing under "%s"', (name) => {
    const store = new FileAppStore([configOf()]);
    expect(store.byId(name)).toBeUndefined();
    expect(store.byKey(name)).toBeUndefined();
  });

  test('keep their object when they are changed, and are gone when they are removed', () => {
    const store = new FileAppStore([configOf(), other]);
    const app = store.byId('app-1');
    const changed = configOf({ clientEvents: false, keys: [{ key: 'key-3', secret: 'secret-3' }] });
    store.take({ put: [changed], removed: ['app-2'] });
    expect(store.byId('app-1')).toBe(app);
    expect(app?.clientEvents).toBe(false);
    expect(store.byKey('key-3')).toBe(app);
    expect(store.byKey('key-1')).toBeUndefined();
    expect(store.byId('app-2')).toBeUndefined();
    expect(store.byKey('key-2')).toBeUndefined();
  });

  test('may hand a key over to another one', () => {
    const store = new FileAppStore([configOf(), other]);
    store.take({
      put: [
        configOf({ id: 'app-2', keys: [{ key: 'key-1', secret: 'secret-1' }] }),
        configOf({ keys: other.keys }),
      ],
      removed: [],
    });
    expect(store.byKey('key-1')?.id).toBe('app-2');
    expect(store.byKey('key-2')?.id).toBe('app-1');
  });
});
