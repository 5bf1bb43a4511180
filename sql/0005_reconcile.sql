-- Up Migration

-- What a census found in Close: the keys of one stream, and then how they differ from its table. It
-- goes with its checkpoint.
CREATE TABLE census (
  schema_name text NOT NULL,
  job         text NOT NULL,
  stream      text NOT NULL,
  slice       text NOT NULL,
  key         text NOT NULL,
  -- The field that the stream is read by, and the one that orders the versions of a record.
  clock       timestamptz,
  version     timestamptz,
  -- A record that is missing is not in the table, one that is outdated is there in an older version;
  -- one that vanished is in the table and was not told by the census.
  difference  text CHECK (difference IN ('missing', 'outdated', 'vanished')),
  -- What came of the difference: the record was read again, or Close says that there is none.
  outcome     text CHECK (outcome IN ('read', 'gone')),
  PRIMARY KEY (schema_name, job, stream, key),
  FOREIGN KEY (schema_name, job, stream, slice) REFERENCES checkpoints
    ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX census_differences ON census (schema_name, job, stream, key) WHERE difference IS NOT NULL;

CREATE TABLE reconciliations (
  schema_name text NOT NULL REFERENCES connections ON DELETE CASCADE ON UPDATE CASCADE,
  stream      text NOT NULL,
  job         text NOT NULL,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz,
  -- Records of Close that belong into the table; null where not all of them could be listed.
  source      bigint,
  -- Living records of the table before anything was mended.
  warehouse   bigint NOT NULL,
  missing     bigint,
  outdated    bigint,
  vanished    bigint,
  -- Differences that are still there.
  unresolved  bigint,
  note        text,
  PRIMARY KEY (schema_name, job, stream)
);

COMMENT ON TABLE reconciliations IS 'One row for each stream of each reconciliation: how many records Close has and the table had, what was missing, outdated or vanished, and how many of these differences are left.';

ALTER TABLE bookmarks
  -- When it was found that Close has forgotten events that were not read yet.
  ADD COLUMN gap_at timestamptz;

-- Down Migration
