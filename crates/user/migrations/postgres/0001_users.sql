CREATE TABLE customers (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    email_verified_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Whose an address is. Distributed by the address, so it is never changed together with a
-- customer: a claim without its customer is what a crash left, and goes to the next who registers.
CREATE TABLE customer_emails (
    email text PRIMARY KEY,
    customer_id uuid NOT NULL,
    claimed_at timestamptz NOT NULL
);

-- The newest token of each purpose that was mailed to a customer, by its SHA-256.
CREATE TABLE mail_tokens (
    customer_id uuid NOT NULL,
    purpose text NOT NULL,
    token_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, purpose)
);
CREATE INDEX mail_tokens_age ON mail_tokens (expires_at);

-- Log-ins of customers and of staff. Refresh tokens are kept as SHA-256 only: the present one, and
-- the one before while it may be presented once more; the salt derives the former from the latter.
CREATE TABLE sessions (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    token_hash bytea NOT NULL,
    previous_hash bytea,
    salt bytea,
    created_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (owner_id, id)
);
CREATE INDEX sessions_age ON sessions (expires_at);

CREATE TABLE addresses (
    customer_id uuid NOT NULL,
    id uuid NOT NULL,
    address json NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, id)
);

CREATE TABLE staff (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    password_hash text NOT NULL,
    roles json NOT NULL,
    active boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The youngest whose time has come signs; every other one still verifies, or will.
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    pkcs8 bytea NOT NULL,
    signs_from timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
