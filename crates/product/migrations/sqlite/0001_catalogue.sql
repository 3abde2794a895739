-- What pages show is written when a product changes, not when it is read: `document` is the
-- product as clients see it, `summary` what lists show of it, both but for what depends on stock.
-- Rows are read in this order, so the long document comes last.
CREATE TABLE products (
    id BLOB PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    title TEXT NOT NULL,
    image_url TEXT,
    in_stock INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    summary TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT;

-- What carts ask for. `prices` is {"EUR": 1999}. An unbounded variant can always be bought.
CREATE TABLE variants (
    id BLOB PRIMARY KEY,
    product_id BLOB NOT NULL REFERENCES products (id),
    position INTEGER NOT NULL,
    sku TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    prices TEXT NOT NULL,
    requires_shipping INTEGER NOT NULL,
    inventory TEXT NOT NULL,
    unbounded INTEGER NOT NULL
) STRICT;
CREATE INDEX variants_of_product ON variants (product_id, position);

CREATE TABLE categories (
    id BLOB PRIMARY KEY,
    parent_id BLOB REFERENCES categories (id),
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX categories_below ON categories (parent_id);

-- Every category with itself (distance 0) and everything above it.
CREATE TABLE category_ancestors (
    category_id BLOB NOT NULL REFERENCES categories (id),
    ancestor_id BLOB NOT NULL REFERENCES categories (id),
    distance INTEGER NOT NULL,
    PRIMARY KEY (category_id, ancestor_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX category_descendants ON category_ancestors (ancestor_id, category_id);

-- One row: whoever changes the tree changes it first, so changes of the tree happen one by one.
CREATE TABLE category_tree (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO category_tree (one, version) VALUES (1, 1);

CREATE TABLE product_categories (
    product_id BLOB NOT NULL REFERENCES products (id),
    category_id BLOB NOT NULL REFERENCES categories (id),
    PRIMARY KEY (product_id, category_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX products_of_category ON product_categories (category_id, product_id);

-- Where a product is listed, and under which keys: a row for each of its categories, all that lie
-- above them and the nil UUID (everything), times each currency that it has a price in and ''
-- (whatever the currency; its price is 0). The page of a list is a range of one of the indexes.
CREATE TABLE listing (
    product_id BLOB NOT NULL,
    category_id BLOB NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    price_minor INTEGER NOT NULL,
    name_key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    in_stock INTEGER NOT NULL,
    PRIMARY KEY (product_id, category_id, currency)
) STRICT, WITHOUT ROWID;
CREATE INDEX listing_by_price
    ON listing (category_id, currency, status, price_minor, product_id, in_stock);
CREATE INDEX listing_by_name
    ON listing (category_id, currency, status, name_key, product_id, price_minor, in_stock);
CREATE INDEX listing_by_age
    ON listing (category_id, currency, status, created_at, product_id, price_minor, in_stock);

-- The last change of each product, in the order of the changes: what keeps itself up from the
-- catalogue reads what is above the last `seq` that it has seen.
CREATE TABLE product_changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id BLOB NOT NULL UNIQUE,
    changed_at INTEGER NOT NULL
) STRICT;
