CREATE TABLE orders (
    id BLOB PRIMARY KEY,
    cart_id BLOB NOT NULL,
    customer_id BLOB,
    email TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- Counts the tries to place it: a refused payment ends one, another request starts the next.
    attempt INTEGER NOT NULL,
    provider TEXT NOT NULL,
    payment_token TEXT,
    payment TEXT NOT NULL,
    content TEXT NOT NULL,
    -- The request of the present try, and the answer that every repetition of it gets.
    scope TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    answer_status INTEGER,
    answer TEXT,
    -- Until then the try, or the cancelling, belongs to who began it; afterwards to the sweeper.
    lease_until INTEGER,
    created_at INTEGER NOT NULL,
    placed_at INTEGER,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_unsettled ON orders (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX orders_by_time ON orders (created_at, id);

-- The answers of tries that failed.
CREATE TABLE order_attempts (
    order_id BLOB NOT NULL,
    scope TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    failed_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, scope)
) STRICT, WITHOUT ROWID;

-- Which orders a customer has placed. Distributed by the customer, so it is filled by an event.
CREATE TABLE customer_orders (
    customer_id BLOB NOT NULL,
    placed_at INTEGER NOT NULL,
    order_id BLOB NOT NULL,
    PRIMARY KEY (customer_id, placed_at, order_id)
) STRICT, WITHOUT ROWID;

-- The book of the test provider: what a real one would keep at its own place. No transaction ever
-- changes it together with an order.
CREATE TABLE test_provider_book (
    key TEXT PRIMARY KEY,
    order_id BLOB NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    token TEXT NOT NULL,
    state TEXT NOT NULL,
    captured INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX test_provider_book_orders ON test_provider_book (order_id);
