-- Where stock lies. The lowest priority is taken from first.
CREATE TABLE locations (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How the stock of each variant is kept. Rows stay when variants go, as their stock does.
CREATE TABLE stock_rules (
    variant_id BLOB PRIMARY KEY,
    product_id BLOB NOT NULL,
    sku TEXT NOT NULL,
    inventory TEXT NOT NULL,
    backorder INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What lies where. A variant that is counted has one row at least. What can be bought is
-- on_hand - reserved; it is never negative but where nothing is refused (unbounded).
CREATE TABLE stock (
    variant_id BLOB NOT NULL,
    location_id BLOB NOT NULL REFERENCES locations (id),
    on_hand INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    unbounded INTEGER NOT NULL,
    PRIMARY KEY (variant_id, location_id),
    CHECK (reserved >= 0),
    CHECK (unbounded OR on_hand >= reserved)
) STRICT, WITHOUT ROWID;

-- Who holds what: for a while (held), or until it is given back (committed).
CREATE TABLE reservations (
    holder BLOB NOT NULL,
    variant_id BLOB NOT NULL,
    location_id BLOB NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    state TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (holder, variant_id, location_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservations_expiring ON reservations (expires_at) WHERE state = 'held';

-- The orders whose stock is settled: committed, or given back (cancelled).
CREATE TABLE settled_orders (
    holder BLOB PRIMARY KEY,
    state TEXT NOT NULL,
    settled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every change of stock. The sums of a variant at a location equal its row in stock.
CREATE TABLE ledger (
    variant_id BLOB NOT NULL,
    id BLOB NOT NULL,
    location_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    on_hand_delta INTEGER NOT NULL,
    reserved_delta INTEGER NOT NULL,
    reference BLOB,
    note TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (variant_id, id)
) STRICT, WITHOUT ROWID;
