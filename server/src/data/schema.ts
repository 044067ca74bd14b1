/**
 * The migrations of a data directory; `user_version` is the number of those applied. A released migration is never
 * changed: a change is another one at the end.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE identity (id TEXT NOT NULL) STRICT;
  INSERT INTO identity VALUES (lower(hex(randomblob(8))));

  CREATE TABLE sequence (app TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE event (
    app TEXT NOT NULL,
    seq INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (app, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE told (
    app TEXT NOT NULL,
    channel TEXT NOT NULL,
    user TEXT NOT NULL,
    PRIMARY KEY (app, channel, user)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE delivery (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    hook TEXT NOT NULL,
    lane TEXT NOT NULL,
    dead INTEGER NOT NULL DEFAULT 0,
    committed_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    size INTEGER NOT NULL DEFAULT 1,
    events TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    tried_since INTEGER,
    attempts TEXT NOT NULL DEFAULT '[]'
  ) STRICT;
  CREATE INDEX delivery_by_hook ON delivery (hook, dead, n);
  CREATE INDEX delivery_by_lane ON delivery (hook, lane, n) WHERE dead = 0;

  CREATE TABLE hook (key TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE block (
    app TEXT NOT NULL,
    channel TEXT NOT NULL,
    user TEXT NOT NULL,
    reason TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (app, channel, user)
  ) STRICT, WITHOUT ROWID;
  `,
  // The counted size of a delivery: its text, its attempts, and an overhead.
  `
  ALTER TABLE delivery ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  UPDATE delivery SET bytes = 200 + length(CAST(events AS BLOB)) + length(CAST(attempts AS BLOB));
  `,
  // The documents of the admin API: apps and tokens, sealed; who changed them; answers for repeated requests, sealed.
  `
  CREATE TABLE admin (version INTEGER NOT NULL) STRICT;
  INSERT INTO admin VALUES (0);
  CREATE TABLE admin_document (id TEXT PRIMARY KEY, sealed TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE admin_entry (n INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL) STRICT;
  CREATE TABLE admin_answer (
    key TEXT PRIMARY KEY,
    sealed TEXT NOT NULL,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX admin_answer_by_end ON admin_answer (until);
  `,
  `
  CREATE TABLE revocation (
    app TEXT NOT NULL,
    id TEXT NOT NULL,
    until INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (app, id)
  ) STRICT;
  CREATE INDEX revocation_by_end ON revocation (until);
  INSERT INTO revocation
    SELECT
      app,
      id,
      until,
      json_object(
        'id', id,
        'appId', app,
        'target', json(CASE channel
          WHEN '' THEN json_object('userId', user)
          ELSE json_object('userId', user, 'channel', channel)
        END),
        'action', 'end',
        'reason', reason,
        'at', 0,
        'blockedUntil', until
      )
    FROM (SELECT *, 'rev-' || printf('%024d', row_number() OVER (ORDER BY app, channel, user)) AS id FROM block);
  DROP TABLE block;
  `,
  // What apps have used, by period; and the runs of the broker that have not ended by themselves.
  `
  CREATE TABLE usage (
    unit TEXT NOT NULL,
    start INTEGER NOT NULL,
    app TEXT NOT NULL,
    incomplete INTEGER NOT NULL,
    connection_ms INTEGER NOT NULL,
    messages_published INTEGER NOT NULL,
    messages_delivered INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    client_events INTEGER NOT NULL,
    webhooks_sent INTEGER NOT NULL,
    webhooks_failed INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    connections_peak INTEGER NOT NULL,
    presence_members_peak INTEGER NOT NULL,
    history_bytes_peak INTEGER NOT NULL,
    PRIMARY KEY (unit, start, app)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE usage_node (node TEXT PRIMARY KEY, seq INTEGER NOT NULL, minute INTEGER NOT NULL) STRICT;
  `,
  // The period of each quota of which an app was warned last.
  `
  CREATE TABLE usage_warning (
    app TEXT NOT NULL,
    quota TEXT NOT NULL,
    start INTEGER NOT NULL,
    PRIMARY KEY (app, quota)
  ) STRICT, WITHOUT ROWID;
  `,
  // The histories of apps that ask for it, and the random text of their positions. Versions are those of all apps together.
  `
  CREATE TABLE history_run (run TEXT NOT NULL) STRICT;
  INSERT INTO history_run VALUES (lower(hex(randomblob(16))));
  CREATE TABLE history (
    version INTEGER PRIMARY KEY,
    app TEXT NOT NULL,
    channel TEXT NOT NULL,
    at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX history_by_channel ON history (app, channel, version);
  CREATE TABLE history_channel (
    app TEXT NOT NULL,
    channel TEXT NOT NULL,
    before INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (app, channel)
  ) STRICT, WITHOUT ROWID;
  `,
  // Up to which row usage was pushed elsewhere: one row at most.
  `
  CREATE TABLE usage_pushed (id INTEGER PRIMARY KEY CHECK (id = 1), start INTEGER NOT NULL, app TEXT NOT NULL) STRICT;
  `,
  // What is known for a while beside the histories, in the order in which it became known.
  `
  CREATE TABLE history_note (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    ends_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (app, kind, id)
  ) STRICT;
  CREATE INDEX history_note_by_end ON history_note (ends_at);
  `,
  // When keys were used last, in Unix seconds.
  `
  CREATE TABLE key_use (
    app TEXT NOT NULL,
    key TEXT NOT NULL,
    use TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (app, key, use)
  ) STRICT, WITHOUT ROWID;
  `,
];
