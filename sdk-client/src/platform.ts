import type { Encryption } from './encryption.ts';

/** The part of a WebSocket that this SDK uses. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  /** Only outside browsers: ends without waiting for the peer. */
  terminate?(): void;
  onmessage: EventHandler<{ readonly data: unknown }> | null;
  /** Not every platform says why. */
  onclose: EventHandler<{ readonly code?: number; readonly reason?: string } | undefined> | null;
  onerror: EventHandler<unknown> | null;
}

/** As a method, so that the more precise events of each platform fit. */
type EventHandler<Event> = { handle(event: Event): void }['handle'];

export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** The part of `fetch` that this SDK uses. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body: string;
    /** A redirect is not to be followed: it would be sent what is meant for the endpoint. */
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

/** What an entry point brings where neither the options nor the platform have it. */
export const bundled: {
  WebSocket?: WebSocketConstructor;
  encryption?: Encryption;
} = {};
