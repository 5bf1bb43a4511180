-- Up Migration

-- What Close deleted, so that a page that was fetched before the delete and is loaded after it finds
-- the record dead. Marks on the rows themselves follow from this.
CREATE TABLE tombstones (
  schema_name text        NOT NULL REFERENCES connections ON DELETE CASCADE,
  stream      text        NOT NULL,
  key         text        NOT NULL,
  deleted_at  timestamptz NOT NULL,
  deleted_by  text,
  merged_into text,
  -- Concluded from a list that was read whole, and not told by the event log: the record is alive
  -- as soon as Close gives it again.
  is_absence  boolean     NOT NULL,
  PRIMARY KEY (schema_name, stream, key)
);

ALTER TABLE checkpoints
  -- Slices that were planned together saw the same pages, and may be closed together.
  ADD COLUMN planned_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE bookmarks
  -- When the part was read last, to its end or in vain; null: not yet.
  ADD COLUMN read_at timestamptz,
  -- What a person should know of it: that the key may not read it, that events were forgotten.
  ADD COLUMN note text,
  ADD COLUMN is_skipped boolean NOT NULL DEFAULT false;

ALTER TABLE streams
  ADD COLUMN is_selected boolean NOT NULL DEFAULT true,
  -- Fields that the operator left out.
  ADD COLUMN left_out text[] NOT NULL DEFAULT '{}';

CREATE OR REPLACE VIEW sync_status AS
SELECT s.schema_name AS schema,
       s.stream,
       s.status,
       b.bookmark,
       now() - b.bookmark AS lag,
       s.rows + coalesce(c.inserted, 0) AS rows,
       s.last_success_at,
       coalesce(s.problem, b.note) AS problem
  FROM streams s
  LEFT JOIN LATERAL (SELECT min(bookmark) FILTER (WHERE NOT is_skipped) AS bookmark,
                            string_agg(DISTINCT note, ' ') AS note
                       FROM bookmarks
                      WHERE schema_name = s.schema_name AND stream = s.stream) b ON true
  LEFT JOIN LATERAL (SELECT sum(inserted)::bigint AS inserted FROM checkpoints
                      WHERE schema_name = s.schema_name AND stream = s.stream) c ON true;

-- Tables that are there already get the columns that tell of a delete.
DO $$
DECLARE root record;
BEGIN
  FOR root IN SELECT t.schema_name, t.table_name FROM warehouse_tables t
               WHERE t.levels = 0 AND to_regclass(format('%I.%I', t.schema_name, t.table_name)) IS NOT NULL LOOP
    EXECUTE format('ALTER TABLE %I.%I ADD COLUMN IF NOT EXISTS _sdc_deleted_by text, ADD COLUMN IF NOT EXISTS _sdc_merged_into text',
                   root.schema_name, root.table_name);
  END LOOP;
END $$;

-- Down Migration
