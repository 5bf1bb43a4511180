-- Up Migration

ALTER TABLE connections
  -- How often the tables were made anew. A worker that remembers another number forgets what it
  -- knows of names and labels.
  ADD COLUMN rebuilds bigint NOT NULL DEFAULT 0,
  -- What could not be made again on the new tables at the last rebuild, by name.
  ADD COLUMN left_behind text[] NOT NULL DEFAULT '{}';

-- A rebuild has a line of its own in connections, which is renamed in the end; all that hangs on it
-- follows.
DO $$
DECLARE
  key record;
BEGIN
  FOR key IN
    SELECT conrelid::regclass AS child, conname AS name, pg_get_constraintdef(oid) AS definition
      FROM pg_constraint
     WHERE contype = 'f' AND confupdtype = 'a'
       AND confrelid IN ('connections'::regclass, 'warehouse_tables'::regclass)
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s ON UPDATE CASCADE',
                   key.child, key.name, key.name, key.definition);
  END LOOP;
END $$;

-- Down Migration
