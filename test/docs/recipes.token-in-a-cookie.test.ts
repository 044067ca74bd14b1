import type { Countersign as Client, CountersignOptions } from '@countersign/sdk-client';
import type { Countersign } from '@countersign/sdk-server';
import type { Express } from 'express';
import { type CryptoKey, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { expect } from 'vitest';
import { ending, join, openBrowser, pageOptions, post, startSite } from '../helpers/brokers/site.ts';
import { eventually } from '../helpers/eventually.ts';
import { keepPromises } from '../helpers/promises.ts';
import { cook } from '../helpers/recipe.ts';

interface TokenInACookie {
  createBackend(countersign: Countersign, key: CryptoKey): Express;
  connect(options: CountersignOptions): Client;
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
const CLAIMS = { iss: 'https://login.example.com', aud: 'https://app.example.com', sub: 'ann' };
const MINE = 'private-user-ann';

async function start() {
  const { createBackend, connect } = await cook<TokenInACookie>('token-in-a-cookie');
  const { publicKey, privateKey } = await generateKeyPair('EdDSA');
  const site = await startSite((countersign) => createBackend(countersign, publicKey));
  const issue = (changes: Record<string, unknown> = {}, key = privateKey) =>
    new SignJWT({ ...CLAIMS, exp: inSeconds(300), ...changes })
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(key);
  /** A page, of a browser to which the login service has given this token. */
  const openWith = async (token?: string) => {
    const browser = openBrowser(site);
    if (token !== undefined) expect(await post(browser, '/login', { token })).toBe(204);
    return ending(connect(pageOptions(site, browser)));
  };
  return { site, issue, openWith };
}

keepPromises('recipes/token-in-a-cookie.md', {
  "The token in the cookie opens the user's channel, and no other": async () => {
    const { site, issue, openWith } = await start();
    const token = await issue();
    const client = await openWith(token);
    expect(await join(client, MINE)).toBe(200);
    expect(await join(client, 'private-user-bob')).toBe(403);
    const answer = await fetch(`${site.url}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    expect(answer.headers.get('set-cookie')).toContain('HttpOnly');
  },

  'Without the cookie nothing is granted': async () => {
    const { openWith } = await start();
    expect(await join(await openWith(), MINE)).toBe(401);
  },

  'A token that is forged, expired or for another service is refused': async () => {
    const { issue, openWith } = await start();
    const { privateKey: stranger } = await generateKeyPair('EdDSA');
    const tokens = [
      await issue({}, stranger),
      await issue({ exp: inSeconds(-1) }),
      await issue({ exp: undefined }),
      await issue({ aud: 'https://other.example.com' }),
      new UnsecuredJWT({ ...CLAIMS, exp: inSeconds(60) }).encode(),
    ];
    for (const token of tokens) expect(await join(await openWith(token), MINE)).toBe(401);
  },

  'What was granted ends with the token': async () => {
    const { issue, openWith } = await start();
    const exp = inSeconds(4);
    const client = await openWith(await issue({ exp }));
    expect(await join(client, MINE)).toBe(200);
    const channel = client.channel(MINE);
    expect(channel?.expiresAt).toBeLessThanOrEqual(exp + 1);
    await eventually(() => expect(channel?.subscribed).toBe(false));
    expect(Date.now() / 1000).toBeGreaterThan(exp - 1);
  },
});
