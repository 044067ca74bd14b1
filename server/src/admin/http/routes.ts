/** Finds the endpoint of a request. */

import { adminEndpoints } from '../endpoints/endpoints.ts';
import type { AdminEndpoint } from './endpoint.ts';
import { methodNotAllowed, Problem } from './problem.ts';

interface Route {
  readonly endpoint: AdminEndpoint;
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

const ROUTES: readonly Route[] = adminEndpoints.map((endpoint) => ({
  endpoint,
  pattern: new RegExp(`^${endpoint.path.replaceAll(/\{\w+\}/g, '([^/]+)')}$`),
  names: Array.from(endpoint.path.matchAll(/\{(\w+)\}/g), ([, name = '']) => name),
}));

export interface Matched {
  readonly endpoint: AdminEndpoint;
  readonly parameters: Readonly<Record<string, string>>;
}

/** @throws Problem 404 or 405 */
export function findRoute(method: string, path: string): Matched {
  const there = ROUTES.flatMap((route) => {
    const found = route.pattern.exec(path);
    return found ? [{ ...route, values: found.slice(1) }] : [];
  });
  const wanted = method === 'HEAD' ? 'GET' : method;
  const route = there.find(({ endpoint }) => endpoint.method === wanted);
  if (route) {
    const parameters = route.names.map((name, index) => [name, decoded(route.values[index] ?? '')] as const);
    return { endpoint: route.endpoint, parameters: Object.fromEntries(parameters) };
  }
  if (there.length === 0)
    throw new Problem(
      'not_found',
      `Nothing is at "${path.slice(0, 200)}": docs/administration.md has the paths`,
    );
  throw methodNotAllowed(there.map(({ endpoint }) => endpoint.method));
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
