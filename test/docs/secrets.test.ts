import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isGuessable, isGuessableWebhookSecret } from '#server/apps/keys/guessable';

const ROOT = new URL('../../', import.meta.url);
const PAGES = ['README.md', 'server/README.md', 'sdk-server/README.md', 'sdk-client/README.md'].concat(
  readdirSync(new URL('docs/', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
);

test.each(PAGES)('%s shows no secret that a broker would start with, and app ids of digits', (page) => {
  const text = readFileSync(new URL(page, ROOT), 'utf8');
  for (const [, secret = ''] of text.matchAll(/['"]?\b(?:secret|token)['"]?: ['"]([^'"]+)['"]/g))
    expect(isGuessable(secret) || isGuessableWebhookSecret(secret), secret).toBe(true);
  const apps = /(?:"apps": \[\s*\{\s*"id"|apps: \[\s*\{\s*id|appId): ['"]([^'"]+)['"]/g;
  for (const [, id] of text.matchAll(apps)) expect(id).toMatch(/^\d+$/);
});

test('what is random is not taken for a placeholder', () => {
  for (const secret of [
    '7ad3773142a6692b25b8',
    'kT3v0pWzq8',
    'correct horse battery staple',
    `${'a'.repeat(7)}bcdefgh12`,
  ])
    expect(isGuessable(secret), secret).toBe(false);
  for (const bytes of [randomBytes(24), Buffer.from('<correct horse battery>\n', 'latin1')])
    expect(isGuessableWebhookSecret(`whsec_${bytes.toString('base64')}`)).toBe(false);
});

test('the secret of a webhook is refused if it is a text that everybody knows, or regular', () => {
  for (const bytes of [
    Buffer.from('replace-me-with-a-random-secret'),
    Buffer.alloc(24),
    Buffer.from(Array.from({ length: 32 }, (_, n) => n)),
  ])
    expect(isGuessableWebhookSecret(`whsec_${bytes.toString('base64')}`)).toBe(true);
});
