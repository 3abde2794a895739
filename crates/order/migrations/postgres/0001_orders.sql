CREATE TABLE orders (
    id uuid PRIMARY KEY,
    cart_id uuid NOT NULL,
    customer_id uuid,
    email text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    -- Counts the tries to place it: a refused payment ends one, another request starts the next.
    attempt bigint NOT NULL,
    provider text NOT NULL,
    payment_token text,
    payment text NOT NULL,
    content json NOT NULL,
    -- The request of the present try, and the answer that every repetition of it gets.
    scope text NOT NULL,
    fingerprint bytea NOT NULL,
    answer_status bigint,
    answer text,
    -- Until then the try, or the cancelling, belongs to who began it; afterwards to the sweeper.
    lease_until timestamptz,
    created_at timestamptz NOT NULL,
    placed_at timestamptz,
    updated_at timestamptz NOT NULL
);
CREATE INDEX orders_unsettled ON orders (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX orders_by_time ON orders (created_at, id);

-- The answers of tries that failed.
CREATE TABLE order_attempts (
    order_id uuid NOT NULL,
    scope text NOT NULL,
    fingerprint bytea NOT NULL,
    status bigint NOT NULL,
    answer text NOT NULL,
    failed_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, scope)
);

-- Which orders a customer has placed. Distributed by the customer, so it is filled by an event.
CREATE TABLE customer_orders (
    customer_id uuid NOT NULL,
    placed_at timestamptz NOT NULL,
    order_id uuid NOT NULL,
    PRIMARY KEY (customer_id, placed_at, order_id)
);

-- The book of the test provider: what a real one would keep at its own place. No transaction ever
-- changes it together with an order.
CREATE TABLE test_provider_book (
    key text PRIMARY KEY,
    order_id uuid NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    token text NOT NULL,
    state text NOT NULL,
    captured bigint NOT NULL,
    refunded bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX test_provider_book_orders ON test_provider_book (order_id);
