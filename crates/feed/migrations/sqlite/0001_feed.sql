-- Everything is distributed by the author of the post that it belongs to; the shop is the nil UUID.
-- Ids grow with time, so the newest posts of an author are at the end of their part of the key.
CREATE TABLE posts (
    author_id BLOB NOT NULL,
    id BLOB NOT NULL,
    staff_id BLOB,
    signature TEXT,
    text TEXT NOT NULL,
    product_ids TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    removed_at INTEGER,
    PRIMARY KEY (author_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX posts_removed ON posts (removed_at) WHERE removed_at IS NOT NULL;

-- What changes of a post, apart from what is long; as long as nobody has removed it.
CREATE TABLE post_counts (
    author_id BLOB NOT NULL,
    post_id BLOB NOT NULL,
    likes INTEGER NOT NULL CHECK (likes >= 0),
    comments INTEGER NOT NULL CHECK (comments >= 0),
    PRIMARY KEY (author_id, post_id)
) STRICT, WITHOUT ROWID;

-- Whose a post is. Distributed by the post, so it is never changed together with one: it comes
-- before the post and goes before it. One that leads to no post is what has failed in between.
CREATE TABLE post_authors (
    post_id BLOB PRIMARY KEY,
    author_id BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE likes (
    author_id BLOB NOT NULL,
    post_id BLOB NOT NULL,
    customer_id BLOB NOT NULL,
    liked_at INTEGER NOT NULL,
    PRIMARY KEY (author_id, post_id, customer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE comments (
    author_id BLOB NOT NULL,
    post_id BLOB NOT NULL,
    id BLOB NOT NULL,
    writer_id BLOB NOT NULL,
    staff_id BLOB,
    signature TEXT,
    text TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (author_id, post_id, id)
) STRICT, WITHOUT ROWID;
