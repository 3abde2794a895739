CREATE TABLE customers (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    email_verified_at INTEGER,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Whose an address is. Distributed by the address, so it is never changed together with a
-- customer: a claim without its customer is what a crash left, and goes to the next who registers.
CREATE TABLE customer_emails (
    email TEXT PRIMARY KEY,
    customer_id BLOB NOT NULL,
    claimed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest token of each purpose that was mailed to a customer, by its SHA-256.
CREATE TABLE mail_tokens (
    customer_id BLOB NOT NULL,
    purpose TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (customer_id, purpose)
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_tokens_age ON mail_tokens (expires_at);

-- Log-ins of customers and of staff. Refresh tokens are kept as SHA-256 only: the present one, and
-- the one before while it may be presented once more; the salt derives the former from the latter.
CREATE TABLE sessions (
    owner_id BLOB NOT NULL,
    id BLOB NOT NULL,
    token_hash BLOB NOT NULL,
    previous_hash BLOB,
    salt BLOB,
    created_at INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (owner_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_age ON sessions (expires_at);

CREATE TABLE addresses (
    customer_id BLOB NOT NULL,
    id BLOB NOT NULL,
    address TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (customer_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE staff (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    roles TEXT NOT NULL,
    active INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- The youngest whose time has come signs; every other one still verifies, or will.
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    pkcs8 BLOB NOT NULL,
    signs_from INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
