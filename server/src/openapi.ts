/** The OpenAPI document of the admin API and of the apps' HTTP API, made from the schemas that check the requests. */
import { z } from 'zod';
import { adminEndpoints } from './admin/endpoints/endpoints.ts';
import type { AdminEndpoint } from './admin/http/endpoint.ts';
import { problems } from './admin/http/problem.ts';
import { API_ENDPOINTS } from './api/api.ts';
import type { Endpoint } from './api/endpoint.ts';
import type { Config } from './config/config.ts';
import { VERSION } from './version.ts';

type Operation = Readonly<Record<string, unknown>>;

const PROBLEM = { $ref: '#/components/schemas/Problem' };
/** Refusals that every request may get. */
const COMMON = [401, 403, 429];

/** @returns the document, without what JSON cannot hold */
export function openApi({ pathPrefix }: Pick<Config, 'pathPrefix'>): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Countersign',
      version: VERSION,
      description:
        'The admin API, and the HTTP API of each app. docs/administration.md and docs/http-api.md explain them.',
    },
    servers: [{ url: pathPrefix === '' ? '/' : pathPrefix }],
    paths: pathsOf([
      ...adminEndpoints.map(
        (endpoint) => [`/admin/v1${endpoint.path}`, endpoint.method, adminOperation(endpoint)] as const,
      ),
      ['/admin/v1/openapi.json', 'GET', DOCUMENT_OPERATION] as const,
      ...API_ENDPOINTS.map(
        (endpoint) => [apiPath(endpoint), endpoint.method, apiOperation(endpoint)] as const,
      ),
    ]),
    components: {
      securitySchemes: {
        adminToken: { type: 'http', scheme: 'bearer', description: 'A token of the admin API' },
        signature: {
          type: 'apiKey',
          in: 'query',
          name: 'auth_signature',
          description:
            'Signed with the secret of a key of the app: docs/http-api.md has the text that is signed',
        },
      },
      schemas: {
        Problem: {
          type: 'object',
          required: ['type', 'title', 'status', 'detail', 'code'],
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
            code: { type: 'string', enum: Object.keys(problems) },
            errors: {
              type: 'array',
              items: {
                type: 'object',
                required: ['path', 'expected'],
                properties: { path: { type: 'string' }, got: {}, expected: { type: 'string' } },
              },
            },
          },
        },
      },
    },
  };
}

const DOCUMENT_OPERATION: Operation = {
  operationId: 'readOpenApi',
  summary: 'This document',
  security: [{ adminToken: [] }],
  responses: {
    200: { description: 'The document', content: { 'application/json': { schema: { type: 'object' } } } },
    ...refusals([401, 429], true),
  },
};

function adminOperation(endpoint: AdminEndpoint): Operation {
  const { operationId, summary, path, query, body, bodyTypes = [], status, answer, roles } = endpoint;
  const statuses = [400, ...COMMON, 404, ...(endpoint.method === 'GET' ? [] : [409, 412, 413, 415, 422])];
  const isDryRun = status === 204 && answer !== undefined;
  return {
    operationId,
    summary,
    description: `Roles: ${roles.join(', ')}.`,
    security: [{ adminToken: [] }],
    parameters: [...pathParameters(path), ...queryParameters(query), ...headerParameters(endpoint)],
    ...(body && {
      requestBody: {
        content: Object.fromEntries(
          ['application/json', ...bodyTypes].map((type) => [type, { schema: jsonSchema(body, 'input') }]),
        ),
      },
    }),
    responses: {
      [status]: {
        description: 'Done',
        ...(answer &&
          status !== 204 && { content: { 'application/json': { schema: jsonSchema(answer, 'output') } } }),
      },
      ...(isDryRun && {
        200: {
          description: 'What would be removed',
          content: { 'application/json': { schema: jsonSchema(answer, 'output') } },
        },
      }),
      ...refusals(statuses, true),
    },
  };
}

function headerParameters({ method }: AdminEndpoint): object[] {
  const text = { type: 'string' };
  if (method === 'POST')
    return [
      {
        name: 'Idempotency-Key',
        in: 'header',
        schema: text,
        description: 'Makes it once, however often it comes',
      },
    ];
  if (method === 'GET') return [];
  return [{ name: 'If-Match', in: 'header', schema: text, description: 'The etag of the app that was read' }];
}

function apiPath({ path }: Endpoint): string {
  return `/apps/{app_id}/${path.replaceAll(/:(\w+)/g, '{$1}')}`;
}

function apiOperation(endpoint: Endpoint): Operation {
  const { method, path, body, answer } = endpoint;
  const words = path.split('/').filter((part) => !part.startsWith(':'));
  const name = words.map((word) => word.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()));
  const subject = path.includes(':') ? 'One' : '';
  const content = { 'application/json': { schema: jsonSchema(answer, 'output') } };
  return {
    operationId: `${method.toLowerCase()}${name.map(capitalized).join('')}${subject}`,
    summary: `docs/http-api.md: ${method} ${path}`,
    security: [{ signature: [] }],
    parameters: pathParameters(apiPath(endpoint)),
    ...(body && {
      requestBody: { content: { 'application/json': { schema: jsonSchema(body, 'input') } } },
    }),
    responses: {
      200: { description: 'Done', content },
      ...(endpoint.mayBeUnfinished && { 202: { description: 'Not done everywhere yet', content } }),
      ...refusals([400, ...COMMON, 404], false),
    },
  };
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function pathsOf(
  operations: readonly (readonly [path: string, method: string, operation: Operation])[],
): object {
  const paths = new Map<string, Record<string, Operation>>();
  for (const [path, method, operation] of operations) {
    const known = paths.get(path) ?? {};
    known[method.toLowerCase()] = operation;
    paths.set(path, known);
  }
  return Object.fromEntries(paths);
}

function pathParameters(path: string): object[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: z.ZodObject | undefined): object[] {
  return Object.entries(query?.shape ?? {}).map(([name, schema]) => {
    const { description, ...rest } = jsonSchema(schema as z.ZodType, 'input');
    return {
      name,
      in: 'query',
      required: false,
      schema: rest,
      ...(description !== undefined && { description }),
    };
  });
}

function refusals(statuses: readonly number[], isProblem: boolean): Readonly<Record<number, object>> {
  const content = isProblem ? { 'application/problem+json': { schema: PROBLEM } } : undefined;
  return Object.fromEntries(
    statuses.map((status) => [status, { description: 'Refused', ...(content && { content }) }]),
  );
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _draft, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
