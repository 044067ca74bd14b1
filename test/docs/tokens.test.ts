/** The settings and the page of docs/tokens.md work as they are printed, with a provider and with a secret. */
import { readFileSync } from 'node:fs';
import { Countersign as Client } from '@countersign/sdk-client';
import type { JWTPayload } from 'jose';
import { expect, test } from 'vitest';
import { startServer } from '../helpers/brokers/server.ts';
import { ending, join } from '../helpers/brokers/site.ts';
import { IdentityProvider, tokenBySecret } from '../helpers/token-issuer.ts';

const PAGE = readFileSync(new URL('../../docs/tokens.md', import.meta.url), 'utf8');

/** The block whose fence has this name. */
function block(name: string): string {
  const [, text] = new RegExp(`^\`\`\`\\w+ ${name}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(PAGE) ?? [];
  if (text === undefined) throw new Error(`No block has the name ${name}`);
  return text;
}

interface Settings {
  readonly tokens: { readonly issuers: readonly { readonly issuer: string; readonly audience: string }[] };
}

/** Starts a broker with the printed settings and opens the printed page, which gets tokens of their issuer. */
async function open(settings: string, tokenOf: (claims: JWTPayload) => Promise<string>): Promise<Client> {
  const { tokens } = JSON.parse(`{${settings}}`) as Settings;
  const broker = await startServer({ app: { tokens } });
  const [{ issuer: iss, audience: aud } = { issuer: '', audience: '' }] = tokens.issuers;
  const exp = Math.floor(Date.now() / 1000) + 60;
  const login = { getAccessToken: () => tokenOf({ ...JSON.parse(block('payload')), iss, aud, exp }) };
  const here = `'${broker.host}', port: ${broker.port}, forceTLS: false`;
  const page = block('page').replace("'channels.example.com'", here);
  return ending(new Function('Countersign', 'login', `return ${page}`)(Client, login));
}

async function checkChannels(client: Client): Promise<void> {
  expect(await join(client, 'private-team-7-news')).toBe(200);
  expect(await join(client, 'presence-lobby')).toBe(200);
  expect(await join(client, 'private-team-8-news')).toBe(401);
  expect(client.user.user_data).toEqual({ id: '42', user_info: { name: 'Ann' } });
}

test('a provider that publishes its keys', async () => {
  const provider = await IdentityProvider.start();
  const settings = block('jwks').replace('https://login.example.com/.well-known/jwks.json', provider.url);
  await checkChannels(await open(settings, (claims) => provider.token(claims)));
  expect(provider.reads).toBe(1);
});

test('a secret that only the backend and the broker know', async () => {
  const settings = block('secret');
  const [, secret] = /"secret": "([^"]+)"/.exec(settings) ?? [];
  await checkChannels(await open(settings, (claims) => tokenBySecret(claims, secret)));
});
