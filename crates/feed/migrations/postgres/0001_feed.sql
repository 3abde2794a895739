-- Everything is distributed by the author of the post that it belongs to; the shop is the nil UUID.
-- Ids grow with time, so the newest posts of an author are at the end of their part of the key.
CREATE TABLE posts (
    author_id uuid NOT NULL,
    id uuid NOT NULL,
    staff_id uuid,
    signature text,
    text text NOT NULL,
    product_ids json NOT NULL,
    published_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (author_id, id)
);
CREATE INDEX posts_removed ON posts (removed_at) WHERE removed_at IS NOT NULL;

-- What changes of a post, apart from what is long; as long as nobody has removed it.
CREATE TABLE post_counts (
    author_id uuid NOT NULL,
    post_id uuid NOT NULL,
    likes bigint NOT NULL CHECK (likes >= 0),
    comments bigint NOT NULL CHECK (comments >= 0),
    PRIMARY KEY (author_id, post_id)
);

-- Whose a post is. Distributed by the post, so it is never changed together with one: it comes
-- before the post and goes before it. One that leads to no post is what has failed in between.
CREATE TABLE post_authors (
    post_id uuid PRIMARY KEY,
    author_id uuid NOT NULL
);

CREATE TABLE likes (
    author_id uuid NOT NULL,
    post_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    liked_at timestamptz NOT NULL,
    PRIMARY KEY (author_id, post_id, customer_id)
);

CREATE TABLE comments (
    author_id uuid NOT NULL,
    post_id uuid NOT NULL,
    id uuid NOT NULL,
    writer_id uuid NOT NULL,
    staff_id uuid,
    signature text,
    text text NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (author_id, post_id, id)
);
