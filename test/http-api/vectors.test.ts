import { describe, expect, test } from 'vitest';
import { send, startExample } from '../helpers/http.ts';
import {
  forgeries,
  type RequestVector,
  requestVectors,
  targetOf,
  unsortedRequest,
} from '../packages/vectors.ts';

/** What the broker answers to each example. */
const ANSWERS: Readonly<Record<string, readonly [status: number, body: string]>> = {
  H1: [200, '{}'],
  H2: [
    400,
    '{"error":"Unknown attribute \\"subscription_count\\" in \\"info\\": use a comma list of user_count","status":400,"code":"invalid_parameter"}',
  ],
  H3: [200, '{"channels":{}}'],
  H4: [
    400,
    '{"error":"Invalid channel name in \\"filter_by_prefix\\": \\"café 1\\". Expected 1 to 200 of A-Z a-z 0-9 _ - = @ , . ;","status":400,"code":"invalid_channel"}',
  ],
  H5: [
    200,
    '{"channels":{"private-a":{"subscription_count":0},"presence-b":{"user_count":0,"subscription_count":0}}}',
  ],
  H6: [200, '{"batch":[{},{"user_count":0}]}'],
  H7: [200, '{}'],
  H8: [200, '{"users":[]}'],
  H9: [200, '{"occupied":false,"user_count":0}'],
  H10: [200, '{"channels":{}}'],
  H11: [200, '{}'],
  H12: [200, '{}'],
  H13: [200, '{}'],
  H14: [200, '{}'],
  H15: [200, '{"channels":{}}'],
};

/** A broker whose clock stands where the example was signed. */
function startFor({ id, query }: RequestVector) {
  const seconds = Number(/auth_timestamp=(\d+)/.exec(query)?.[1]);
  return startExample({
    config: { pathPrefix: id === 'H14' ? '/api' : '' },
    parts: { now: () => seconds * 1000 },
  });
}

function requestOf(vector: RequestVector, target = targetOf(vector), body = vector.body) {
  return { method: vector.method, target, ...(body !== undefined && { body }) };
}

function withOtherLastDigit(text: string): string {
  return text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');
}

describe.each(requestVectors)('the example $id', (vector) => {
  test('is answered', async () => {
    const answer = await send(await startFor(vector), requestOf(vector));
    expect([answer.status, answer.text]).toEqual(ANSWERS[vector.id]);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  test('is refused with one digit of its signature changed', async () => {
    const target = withOtherLastDigit(targetOf(vector));
    expect(await send(await startFor(vector), requestOf(vector, target))).toMatchObject({ status: 401 });
  });

  test('is refused with another method', async () => {
    const { target } = requestOf(vector);
    const method = vector.method === 'GET' ? 'HEAD' : 'PUT';
    const { status } = await send(await startFor(vector), { ...requestOf(vector), method, target });
    expect(status).toBe(vector.method === 'GET' ? 401 : 405);
  });

  test('is refused with one byte of its query changed', async () => {
    const target = targetOf(vector).replace(/auth_timestamp=(\d+)/, (parameter) =>
      withOtherLastDigit(parameter),
    );
    expect(await send(await startFor(vector), requestOf(vector, target))).toMatchObject({ status: 401 });
  });
});

test.each(requestVectors.filter(({ body }) => body))(
  'the example $id is refused with one byte of its body changed',
  async (vector) => {
    const body = vector.body?.replace('}', ' ');
    const answer = await send(await startFor(vector), requestOf(vector, undefined, body));
    expect(answer).toMatchObject({ status: 401, error: expect.stringMatching(/^Invalid body_md5: /) });
  },
);

describe('the example H16', () => {
  const { method, path, sorted, unsorted } = unsortedRequest;

  test('is refused as it was signed, out of order', async () => {
    const target = `${path}?${unsorted.query}&auth_signature=${unsorted.signature}`;
    const answer = await send(await startExample(), { method, target });
    const text = JSON.stringify(`GET\n${path}\n${sorted.query}`);
    expect(answer).toMatchObject({
      status: 401,
      error: `Invalid signature: auth_signature must be HmacSHA256Hex(${text}, your_secret_key)`,
    });
  });

  test.each([sorted.query, unsorted.query])(
    'is answered when signed in order and sent as %s',
    async (query) => {
      const target = `${path}?auth_signature=${sorted.signature}&${query}`;
      expect(await send(await startExample(), { method, target })).toMatchObject({ status: 200 });
    },
  );
});

test('the forgery F4 is refused, although its signature is right', async () => {
  const { text, signature } = forgeries.find(({ id }) => id === 'F4')!;
  const [method = '', path = '', query = ''] = text.split('\n');
  const body = '{"name":"e","channels":["c"],"data":"x"}';
  const target = `${path}?${query}&auth_signature=${signature}`;
  const answer = await send(await startExample(), { method, target, body });
  expect(answer).toMatchObject({
    status: 400,
    error: 'Unknown query parameter "z": a POST has its parameters in its body',
  });
});
