-- Up Migration

-- A field has its label in each family that uses it, so that two fields of one name in one record
-- never meet in one column; a shared field may stand beside another of its name in one of them.
ALTER TABLE custom_fields
  ADD COLUMN current_name text,
  ADD COLUMN type text,
  DROP CONSTRAINT custom_fields_pkey,
  ADD PRIMARY KEY (schema_name, family, field_id);
-- Fields without a definition had no family.
INSERT INTO custom_fields (schema_name, field_id, family, label)
SELECT f.schema_name, f.field_id, family.name, f.label
  FROM custom_fields f,
       (VALUES ('lead'), ('contact'), ('opportunity'), ('activity')) AS family(name)
 WHERE f.family = ''
ON CONFLICT DO NOTHING;
DELETE FROM custom_fields WHERE family = '';

ALTER TABLE connections
  -- When the definitions of custom fields were read last; null: they are read at the next need.
  ADD COLUMN custom_fields_read_at timestamptz;

-- Where a field's values go: to its column, to `_sdc_overflow` from the first one on, or there since
-- its table had rows too wide for PostgreSQL (what was loaded before stays in its column).
ALTER TABLE warehouse_columns
  ADD COLUMN place text NOT NULL DEFAULT 'column' CHECK (place IN ('column', 'overflow', 'moved'));

ALTER TABLE warehouse_tables
  -- Up to which repair the stream's history was read again. Only for a root.
  ADD COLUMN reread_at timestamptz;

COMMENT ON VIEW sync_status IS 'One row for each stream: what it does, up to where it is complete, how many rows it has.';

-- Down Migration
