-- Up Migration

ALTER TABLE bookmarks
  -- When history of the part was passed over, since the key might not read it; null: never, or it
  -- was read since.
  ADD COLUMN missed_at timestamptz;

-- Down Migration
