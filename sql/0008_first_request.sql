-- Up Migration

ALTER TABLE rate_groups
  -- Until then the request that was sent first, and tells the limit, may still be answered.
  ADD COLUMN first_until timestamptz NOT NULL DEFAULT '-infinity';

-- Down Migration
