CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    event_type TEXT NOT NULL,
    subject TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    traceparent TEXT,
    data TEXT NOT NULL,
    sent_at INTEGER
) STRICT;
CREATE INDEX outbox_unsent ON outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

-- Events that a role could not take yet; everything later waits behind them.
CREATE TABLE outbox_backlog (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE handled_events (
    consumer TEXT NOT NULL,
    event_id BLOB NOT NULL,
    handled_at INTEGER NOT NULL,
    PRIMARY KEY (consumer, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX handled_events_age ON handled_events (handled_at);

-- Waiting for another attempt, or (with parked_at) for a person: the dead letters. Those of one
-- subject that wait are a line, in the order of their places.
CREATE TABLE event_failures (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer TEXT NOT NULL,
    event_id BLOB NOT NULL,
    subject TEXT NOT NULL,
    envelope TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    failed_at INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    parked_at INTEGER,
    UNIQUE (consumer, event_id)
) STRICT;
CREATE INDEX event_failures_due ON event_failures (next_attempt_at) WHERE parked_at IS NULL;
CREATE INDEX event_failures_line ON event_failures (consumer, subject, place)
    WHERE parked_at IS NULL;

CREATE TABLE idempotency (
    owner BLOB NOT NULL,
    scope TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    etag TEXT,
    location TEXT,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (owner, scope)
) STRICT;
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
