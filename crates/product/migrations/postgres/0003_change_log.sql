-- The change log, in an order in which nobody is overtaken: `seq` is the number of the transaction
-- that changed the product last. A transaction with a lower number may be committed after one with
-- a higher number, but a snapshot tells which ones are still to come; so whoever has read the log
-- remembers his snapshot, and reads next what that one could not see.
ALTER TABLE product_changes
    DROP CONSTRAINT product_changes_pkey,
    DROP CONSTRAINT product_changes_product_id_key,
    ALTER COLUMN seq DROP IDENTITY;
ALTER TABLE product_changes
    ADD PRIMARY KEY (product_id),
    ALTER COLUMN seq SET DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX product_changes_in_order ON product_changes (seq, product_id);
