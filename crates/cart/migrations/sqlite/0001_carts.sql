CREATE TABLE carts (
    id BLOB PRIMARY KEY,
    customer_id BLOB,
    order_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    currency TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX carts_by_expiry ON carts (expires_at);

-- Which of a customer's carts is the current one. Distributed by the customer, so it is never
-- changed together with a cart: what it names may be somebody else's or gone, and readers look.
CREATE TABLE current_carts (
    customer_id BLOB PRIMARY KEY,
    cart_id BLOB NOT NULL,
    owned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE promotions (
    code TEXT PRIMARY KEY,
    rate INTEGER,
    amounts TEXT NOT NULL,
    min_subtotals TEXT NOT NULL,
    starts_at INTEGER,
    ends_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
