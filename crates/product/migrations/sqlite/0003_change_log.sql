-- The change log, as on the other engine: `seq` numbers the statements that changed products, in
-- the order of their commits, because one transaction writes at a time.
CREATE TABLE changes_in_order (
    product_id BLOB PRIMARY KEY,
    seq INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO changes_in_order (product_id, seq, changed_at)
    SELECT product_id, seq, changed_at FROM product_changes;
DROP TABLE product_changes;
ALTER TABLE changes_in_order RENAME TO product_changes;
CREATE INDEX product_changes_in_order ON product_changes (seq, product_id);
