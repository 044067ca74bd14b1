import { bodyMd5, canonicalQuery, requestText, sign } from '@countersign/sdk-server/signature';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Authenticated,
  authenticateAny,
  authenticateUsual,
  type SignedRequest,
} from '#server/api/requests/authenticate';
import { appSchema } from '#server/apps/app';
import { FileAppStore } from '#server/apps/file-store';
import { signed } from '../helpers/http.ts';
import { numRuns } from '../helpers/property.ts';
import { app, TIMESTAMP } from '../packages/vectors.ts';

fc.configureGlobal({ numRuns: numRuns(300) });

const ODD_KEY = 'a-Z_9=@,.;';
const apps = new FileAppStore([
  appSchema.parse({
    id: app.id,
    keys: [
      { key: app.key, secret: app.secret },
      { key: ODD_KEY, secret: app.secret },
    ],
  }),
]);
const PATH = `/apps/${app.id}/events`;

function authorityAt(pathPrefix: string) {
  return { apps, pathPrefix, now: () => TIMESTAMP * 1000 };
}

/** What the general reading says: an identity, or the text of its refusal. */
function general(request: SignedRequest, pathPrefix: string): Authenticated | string {
  try {
    return authenticateAny(request, authorityAt(pathPrefix));
  } catch (error) {
    return String(error);
  }
}

function expectEqual(request: SignedRequest, pathPrefix = ''): Authenticated | undefined {
  const usual = authenticateUsual(request, authorityAt(pathPrefix));
  if (usual) expect(usual).toEqual(general(request, pathPrefix));
  return usual;
}

const proofParts = {
  auth_key: fc.constantFrom(app.key, app.key, ODD_KEY, app.key.toUpperCase(), 'nobody', '', '%41', 'a b'),
  auth_timestamp: fc.oneof(
    fc.integer({ min: -601, max: 601 }).map((seconds) => String(TIMESTAMP + seconds)),
    fc.constantFrom('', '0', `0${TIMESTAMP}`, `${TIMESTAMP}.0`, '9'.repeat(13), '-1'),
  ),
  auth_version: fc.constantFrom('1.0', '1.0', '1.0', '1', '1.00', '1x0', ''),
  body_md5: fc.constantFrom(bodyMd5('{}'), bodyMd5('{}'), bodyMd5('{}').toUpperCase(), '', 'x'.repeat(32)),
};
const nonce = fc.constantFrom(
  'nonce-12',
  'N_'.repeat(32),
  'short',
  'n'.repeat(65),
  'nonce+/=',
  'nonce:12',
  '',
);
const proof = fc.oneof(fc.record(proofParts), fc.record({ ...proofParts, auth_nonce: nonce }));
const mostly = <T>(usual: T, ...others: readonly T[]) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

/** Requests whose query is usual, or nearly: signed as it is sent, then perhaps changed in one place. */
const nearly = fc.record({
  proof,
  method: mostly('POST', 'GET', 'PUT'),
  path: mostly(PATH, `/base${PATH}`, PATH.replace('/apps', '//apps'), `${PATH}%41`, `${PATH}%2f`, `${PATH}'`),
  pathPrefix: mostly('', '/base'),
  signedPath: mostly('as sent', 'without prefix'),
  appId: mostly(app.id, 'nobody'),
  secret: mostly<string>(app.secret, 'another secret'),
  extra: mostly(
    '',
    '&info=user_count',
    '&a=1',
    '&body_md5=x',
    '&auth_key=x',
    '&',
    '&&',
    '&x=a:b',
    '&x=%41',
    '&x=+',
  ),
  isSorted: mostly(true, false),
  replaced: mostly<readonly [string, string]>(
    ['', ''],
    ['auth_key', 'AUTH_KEY'],
    ['auth_key=', 'auth%5Fkey='],
    ['&auth_signature=', '&AUTH_SIGNATURE='],
    ['body_md5=', 'body_md5=%30'],
    ['=', '=='],
    ['&', '&&'],
    ['&', ';'],
  ),
  end: mostly('', '&', '\n', ' ', '0', '&x', '#'),
});

describe('the usual query', () => {
  test('is read as any query is, and nothing that is nearly usual is read otherwise', () => {
    fc.assert(
      fc.property(
        nearly,
        ({ proof, method, path, pathPrefix, signedPath, appId, secret, extra, isSorted, replaced, end }) => {
          const pairs = Object.entries(proof);
          const unsorted = pairs.map(([name, value]) => `${name}=${value}`).reverse();
          const query = (isSorted ? canonicalQuery(pairs) : unsorted.join('&')) + extra;
          const pathToSign = signedPath === 'as sent' ? path : path.replace('/base', '');
          const text = requestText(method, pathToSign, query);
          const signature = sign(secret, text);
          const [from, to] = replaced;
          const rawQuery = `${query}&auth_signature=${signature}`.replace(from, to) + end;
          expectEqual({ method, path, rawQuery, appId }, pathPrefix);
        },
      ),
    );
  });

  test.each([app.key, ODD_KEY])('of the key %s is read in one step', (key) => {
    const query = `auth_key=${key}&auth_timestamp=${TIMESTAMP}&auth_version=1.0&body_md5=${bodyMd5('{}')}`;
    const signature = sign(app.secret, requestText('POST', PATH, query));
    const rawQuery = `${query}&auth_signature=${signature}`;
    const read = expectEqual({ method: 'POST', path: PATH, rawQuery, appId: app.id });
    expect(read?.key.name).toBe(key);
    expect(read?.bodyMd5).toBe(bodyMd5('{}'));
  });

  test('is read in one step with a nonce, too', () => {
    const query = `auth_key=${app.key}&auth_nonce=nonce-12&auth_timestamp=${TIMESTAMP}&auth_version=1.0&body_md5=${bodyMd5('{}')}`;
    const signature = sign(app.secret, requestText('POST', PATH, query));
    const rawQuery = `${query}&auth_signature=${signature}`;
    const read = expectEqual({ method: 'POST', path: PATH, rawQuery, appId: app.id });
    expect(read).toMatchObject({ nonce: 'nonce-12', staleAt: (TIMESTAMP + 600) * 1000 });
  });

  test('is what libraries send', () => {
    const { target } = signed({ path: PATH, body: '{}' });
    const [path = '', rawQuery = ''] = target.split('?');
    expect(expectEqual({ method: 'POST', path, rawQuery, appId: app.id })).toBeDefined();
  });
});
