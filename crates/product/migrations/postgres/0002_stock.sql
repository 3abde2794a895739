-- Where stock lies. The lowest priority is taken from first.
CREATE TABLE locations (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    priority bigint NOT NULL,
    created_at timestamptz NOT NULL
);

-- How the stock of each variant is kept. Rows stay when variants go, as their stock does.
CREATE TABLE stock_rules (
    variant_id uuid PRIMARY KEY,
    product_id uuid NOT NULL,
    sku text NOT NULL,
    inventory text NOT NULL,
    backorder boolean NOT NULL
);

-- What lies where. A variant that is counted has one row at least. What can be bought is
-- on_hand - reserved; it is never negative but where nothing is refused (unbounded).
CREATE TABLE stock (
    variant_id uuid NOT NULL,
    location_id uuid NOT NULL REFERENCES locations (id),
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL,
    unbounded boolean NOT NULL,
    PRIMARY KEY (variant_id, location_id),
    CHECK (reserved >= 0),
    CHECK (unbounded OR on_hand >= reserved)
) WITH (fillfactor = 70); -- Rows change often; room on the page keeps the index out of it.

-- Who holds what: for a while (held), or until it is given back (committed).
CREATE TABLE reservations (
    holder uuid NOT NULL,
    variant_id uuid NOT NULL,
    location_id uuid NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    state text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (holder, variant_id, location_id)
);
CREATE INDEX reservations_expiring ON reservations (expires_at) WHERE state = 'held';

-- The orders whose stock is settled: committed, or given back (cancelled).
CREATE TABLE settled_orders (
    holder uuid PRIMARY KEY,
    state text NOT NULL,
    settled_at timestamptz NOT NULL
);

-- Every change of stock. The sums of a variant at a location equal its row in stock.
CREATE TABLE ledger (
    variant_id uuid NOT NULL,
    id uuid NOT NULL,
    location_id uuid NOT NULL,
    kind text NOT NULL,
    on_hand_delta bigint NOT NULL,
    reserved_delta bigint NOT NULL,
    reference uuid,
    note text,
    at timestamptz NOT NULL,
    PRIMARY KEY (variant_id, id)
);
