-- What pages show is written when a product changes, not when it is read: `document` is the
-- product as clients see it, `summary` what lists show of it, both but for what depends on stock.
CREATE TABLE products (
    id uuid PRIMARY KEY,
    slug text COLLATE "C" NOT NULL UNIQUE,
    status text NOT NULL,
    title text NOT NULL,
    image_url text,
    in_stock boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    summary json NOT NULL,
    document json NOT NULL
);

-- What carts ask for. `prices` is {"EUR": 1999}. An unbounded variant can always be bought.
CREATE TABLE variants (
    id uuid PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES products (id),
    position bigint NOT NULL,
    sku text COLLATE "C" NOT NULL UNIQUE,
    title text NOT NULL,
    prices json NOT NULL,
    requires_shipping boolean NOT NULL,
    inventory text NOT NULL,
    unbounded boolean NOT NULL
);
CREATE INDEX variants_of_product ON variants (product_id, position);

CREATE TABLE categories (
    id uuid PRIMARY KEY,
    parent_id uuid REFERENCES categories (id),
    slug text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    position bigint NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX categories_below ON categories (parent_id);

-- Every category with itself (distance 0) and everything above it.
CREATE TABLE category_ancestors (
    category_id uuid NOT NULL REFERENCES categories (id),
    ancestor_id uuid NOT NULL REFERENCES categories (id),
    distance bigint NOT NULL,
    PRIMARY KEY (category_id, ancestor_id)
);
CREATE INDEX category_descendants ON category_ancestors (ancestor_id, category_id);

-- One row: whoever changes the tree changes it first, so changes of the tree happen one by one.
CREATE TABLE category_tree (
    one bigint PRIMARY KEY CHECK (one = 1),
    version bigint NOT NULL
);
INSERT INTO category_tree (one, version) VALUES (1, 1);

CREATE TABLE product_categories (
    product_id uuid NOT NULL REFERENCES products (id),
    category_id uuid NOT NULL REFERENCES categories (id),
    PRIMARY KEY (product_id, category_id)
);
CREATE INDEX products_of_category ON product_categories (category_id, product_id);

-- Where a product is listed, and under which keys: a row for each of its categories, all that lie
-- above them and the nil UUID (everything), times each currency that it has a price in and ''
-- (whatever the currency; its price is 0). The page of a list is a range of one of the indexes.
-- Names sort by their bytes, as on the other engine.
CREATE TABLE listing (
    product_id uuid NOT NULL,
    category_id uuid NOT NULL,
    currency text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    price_minor bigint NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    in_stock boolean NOT NULL,
    PRIMARY KEY (product_id, category_id, currency)
);
CREATE INDEX listing_by_price
    ON listing (category_id, currency, status, price_minor, product_id, in_stock);
CREATE INDEX listing_by_name
    ON listing (category_id, currency, status, name_key, product_id, price_minor, in_stock);
CREATE INDEX listing_by_age
    ON listing (category_id, currency, status, created_at, product_id, price_minor, in_stock);

-- The last change of each product, in the order of the changes: what keeps itself up from the
-- catalogue reads what is above the last `seq` that it has seen. A lower `seq` may be committed
-- after a higher one.
CREATE TABLE product_changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id uuid NOT NULL UNIQUE,
    changed_at timestamptz NOT NULL
);
