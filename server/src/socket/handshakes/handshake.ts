import type { IncomingMessage } from 'node:http';
import type { App, AppStore } from '../../apps/app.ts';
import { codes, Disconnect } from '../../errors.ts';
import { SharedTexts } from './shared-texts.ts';

/** Supported versions of the protocol; the broker treats them alike. */
const PROTOCOLS: ReadonlySet<string> = new Set(['5', '6', '7']);
const CONTROL_CHARACTER = /\p{Cc}/u;
/** Most connections have one of a few clients. */
const clientNames = new SharedTexts(1000);

/** A valid request to connect. */
export interface Handshake {
  readonly app: App;
  readonly key: string;
  /** The client library and its version, such as `js/8.6.0`. */
  readonly client: string;
  /** Whether the client understands the events and fields that are not part of the Channels protocol. */
  readonly isCapable: boolean;
}

/**
 * Parses the request that opens a connection, in the order of docs/protocol.md, "Connecting".
 *
 * @throws Disconnect with the reason to close the new connection
 */
export function readHandshake(
  request: IncomingMessage,
  {
    apps,
    pathPrefix,
    secure,
  }: { readonly apps: AppStore; readonly pathPrefix: string; readonly secure: boolean },
): Handshake {
  const target = request.url ?? '';
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const query = new URLSearchParams(queryAt < 0 ? '' : target.slice(queryAt + 1));

  const key = readKey(path, `${pathPrefix}/app/`);
  checkProtocol(query.get('protocol'));
  const version = query.get('version') ?? '';
  if (version.length > 64 || CONTROL_CHARACTER.test(version)) {
    throw new Disconnect(
      codes.invalidVersion,
      'invalid_version',
      'Invalid version: expected at most 64 printable characters',
    );
  }

  const app = apps.byKey(key);
  if (!app)
    throw new Disconnect(codes.appNotFound, 'app_not_found', `No app has the key '${key.slice(0, 64)}'`);
  const appKey = app.keyOf(key);
  if (appKey?.isRevoked) throw new Disconnect(codes.appNotFound, 'key_revoked', 'The key was revoked');
  if (!app.enabled) throw new Disconnect(codes.appDisabled, 'app_disabled', 'The app is disabled');
  if (app.requireTLS && !secure)
    throw new Disconnect(codes.tlsRequired, 'tls_required', 'The app accepts TLS connections only');
  if (!app.allowsOrigin(request.headers.origin)) {
    throw new Disconnect(
      codes.unauthorized,
      'origin_not_allowed',
      'The origin is not among the allowedOrigins of the app',
    );
  }
  // Returns the configured string: a slice of the request would keep all of it in memory.
  const configured = appKey?.name ?? key;
  const client = clientNames.one(`${(query.get('client') ?? '').slice(0, 64)}/${version}`);
  return { app, key: configured, client, isCapable: saysCapable(query) };
}

/** Whether the client of a request that was refused understands `countersign:terminated`. */
export function isCapable({ url = '' }: IncomingMessage): boolean {
  const queryAt = url.indexOf('?');
  return queryAt >= 0 && saysCapable(new URLSearchParams(url.slice(queryAt + 1)));
}

function saysCapable(query: URLSearchParams): boolean {
  return query.get('countersign') === '1';
}

/** The key that a request names which was refused. */
export function keyOf({ url = '' }: IncomingMessage, pathPrefix: string): string | undefined {
  try {
    return readKey(url.split('?', 1)[0] ?? '', `${pathPrefix}/app/`);
  } catch {
    return undefined;
  }
}

/** @throws Disconnect if the path names none */
function readKey(path: string, prefix: string): string {
  const encoded = path.startsWith(prefix) ? path.slice(prefix.length) : '';
  if (encoded === '' || encoded.includes('/')) {
    throw new Disconnect(codes.pathNotFound, 'path_not_found', `Path not found: expected ${prefix}KEY`);
  }
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new Disconnect(
      codes.pathNotFound,
      'path_not_found',
      'Path not found: the key is not properly percent-encoded',
    );
  }
}

function checkProtocol(protocol: string | null): void {
  if (protocol === null || protocol === '') {
    throw new Disconnect(
      codes.noProtocol,
      'protocol_missing',
      'No protocol version: expected protocol=7 in the query',
    );
  }
  if (!PROTOCOLS.has(protocol)) {
    throw new Disconnect(
      codes.unsupportedProtocol,
      'unsupported_protocol',
      'Unsupported protocol version: expected 5, 6 or 7',
    );
  }
}
