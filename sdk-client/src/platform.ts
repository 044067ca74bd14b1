import type { Encryption } from './encryption/encryption.ts';

/** The part of a WebSocket that this SDK uses. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  /** Ends the connection without waiting for the peer; only outside browsers. */
  terminate?(): void;
  onmessage: EventHandler<{ readonly data: unknown }> | null;
  /** Not every platform passes a reason. */
  onclose: EventHandler<{ readonly code?: number; readonly reason?: string } | undefined> | null;
  onerror: EventHandler<unknown> | null;
}

/** A method, so that each platform's more precise event types are assignable. */
type EventHandler<Event> = { handle(event: Event): void }['handle'];

/** A WebSocket class. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** The part of `fetch` that this SDK uses. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body: string;
    /** Redirects are not followed, because they would receive the credentials. */
    readonly redirect: 'manual';
    readonly credentials?: 'omit' | 'same-origin' | 'include';
    readonly signal?: AbortSignal;
  },
) => Promise<{
  readonly status: number;
  readonly redirected?: boolean;
  readonly headers?: { get(name: string): string | null };
  text(): Promise<string>;
}>;

/** Defaults that an entry point provides if neither the options nor the platform have them. */
export const bundled: {
  WebSocket?: WebSocketConstructor;
  encryption?: Encryption;
} = {};
