CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    event_type text NOT NULL,
    subject text NOT NULL,
    occurred_at timestamptz NOT NULL,
    traceparent text,
    data json NOT NULL,
    sent_at timestamptz
);
CREATE INDEX outbox_unsent ON outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

-- Events that a role could not take yet; everything later waits behind them.
CREATE TABLE outbox_backlog (
    destination text NOT NULL,
    seq bigint NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (destination, seq)
);

CREATE TABLE handled_events (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX handled_events_age ON handled_events (handled_at);

-- Waiting for another attempt, or (with parked_at) for a person: the dead letters. Those of one
-- subject that wait are a line, in the order of their places.
CREATE TABLE event_failures (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    subject text NOT NULL,
    envelope json NOT NULL,
    attempts bigint NOT NULL,
    error text NOT NULL,
    failed_at timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    parked_at timestamptz,
    UNIQUE (consumer, event_id)
);
CREATE INDEX event_failures_due ON event_failures (next_attempt_at) WHERE parked_at IS NULL;
CREATE INDEX event_failures_line ON event_failures (consumer, subject, place)
    WHERE parked_at IS NULL;

CREATE TABLE idempotency (
    owner uuid NOT NULL,
    scope text NOT NULL,
    fingerprint bytea NOT NULL,
    status bigint NOT NULL,
    etag text,
    location text,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (owner, scope)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE leases (
    name text PRIMARY KEY,
    holder uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
