CREATE TABLE carts (
    id uuid PRIMARY KEY,
    customer_id uuid,
    order_id uuid NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL,
    currency text NOT NULL,
    content json NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX carts_by_expiry ON carts (expires_at);

-- Which of a customer's carts is the current one. Distributed by the customer, so it is never
-- changed together with a cart: what it names may be somebody else's or gone, and readers look.
CREATE TABLE current_carts (
    customer_id uuid PRIMARY KEY,
    cart_id uuid NOT NULL,
    owned_at timestamptz NOT NULL
);

CREATE TABLE promotions (
    code text PRIMARY KEY,
    rate bigint,
    amounts json NOT NULL,
    min_subtotals json NOT NULL,
    starts_at timestamptz,
    ends_at timestamptz,
    created_at timestamptz NOT NULL
);
