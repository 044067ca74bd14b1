import type { LiveApp } from './live/live-apps.ts';
import type { Session } from './sessions.ts';

/** A session as the pages see it. */
export interface SessionView {
  readonly app: { readonly id: string; readonly name: string; readonly keys: readonly string[] };
  /** The key and the channel that carry the live data. */
  readonly live: { readonly key: string; readonly channel: string };
  /** Whether the user can sign out: a console without a sign-in has no sign-out. */
  readonly signOut: boolean;
}

export function sessionView({ app }: Session, { key, channel }: LiveApp, signOut: boolean): SessionView {
  return {
    app: { id: app.id, name: app.name, keys: app.keys },
    live: { key, channel: channel.name },
    signOut,
  };
}
