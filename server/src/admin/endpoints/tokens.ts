import { ENVIRONMENT_TOKEN } from '../../config/admin.ts';
import { type AdminEndpoint, needStore, OWNERS } from '../http/endpoint.ts';
import { page } from '../http/pages.ts';
import { Problem } from '../http/problem.ts';
import { listOf, newTokenAnswer, pageParameters, tokenAnswer, tokenInput } from '../http/schemas.ts';
import { tokenView } from '../http/views.ts';
import { newToken } from '../random.ts';
import { documentId, type TokenRecord } from '../registry/records.ts';
import { hashOf } from '../tokens.ts';

/** Most of the tokens of the store. */
const MAX_TOKENS = 1000;

const listTokens: AdminEndpoint = {
  operationId: 'listTokens',
  summary: 'The admin tokens, without the tokens themselves',
  method: 'GET',
  path: '/tokens',
  roles: OWNERS,
  isWide: true,
  query: pageParameters,
  status: 200,
  answer: listOf('tokens', tokenAnswer),
  run({ tokens, query }) {
    const { items, ...more } = page(tokens.all(), ({ name }) => name, query);
    return { status: 200, body: { tokens: items.map((token) => tokenView(token, tokens)), ...more } };
  },
};

const createToken: AdminEndpoint = {
  operationId: 'createToken',
  summary: 'Makes a token, which is shown in the answer only',
  method: 'POST',
  path: '/tokens',
  roles: OWNERS,
  isWide: true,
  body: tokenInput,
  status: 201,
  answer: newTokenAnswer,
  run(call) {
    needStore(call);
    const { name, role, apps, expires_at = null } = tokenInput.parse(call.body);
    const token = newToken();
    const record: TokenRecord = {
      name,
      hash: hashOf(token),
      role,
      ...(apps && { apps: [...apps] }),
      expires_at,
      created_at: call.now,
    };
    return call.change(() => {
      if (name === ENVIRONMENT_TOKEN || call.tokens.all().some((each) => each.name === name))
        throw new Problem('token_exists', `There is a token "${name}" already`);
      if (call.registry.tokens.size >= MAX_TOKENS)
        throw new Problem('limit_reached', `The app store has its ${MAX_TOKENS} tokens`);
      const { hash: _hash, ...shown } = record;
      return {
        put: [{ kind: 'token', record }],
        entries: [call.entry('token.created', { target: name })],
        result: { status: 201, body: { ...shown, managed_by: 'api', last_used_at: null, token } },
      };
    });
  },
};

const deleteToken: AdminEndpoint = {
  operationId: 'deleteToken',
  summary: 'Ends a token',
  method: 'DELETE',
  path: '/tokens/{name}',
  roles: OWNERS,
  isWide: true,
  status: 204,
  run(call) {
    const name = call.parameters['name'] ?? '';
    return call.change(() => {
      const token = call.tokens.all().find((each) => each.name === name);
      if (!token) throw new Problem('token_not_found', `There is no token "${name.slice(0, 64)}"`);
      if (token.managedBy !== 'api') {
        throw new Problem(
          'managed_by_file',
          `The token "${name}" is in the configuration of the broker: remove it there`,
        );
      }
      return {
        remove: [documentId('token', name)],
        entries: [call.entry('token.deleted', { target: name })],
        result: { status: 204 },
      };
    });
  },
};

export const tokenEndpoints: readonly AdminEndpoint[] = [listTokens, createToken, deleteToken];
