-- Up Migration

-- What a connection is and what was fixed when it was first opened.
CREATE TABLE connections (
  schema_name     text PRIMARY KEY,
  name            text        NOT NULL,
  layout          text        NOT NULL,
  organization_id text        NOT NULL,
  start_date      timestamptz NOT NULL,
  -- Where the history lane ends and the live lane begins; fixed before the first page is read, so
  -- that there is no gap between them.
  live_from       timestamptz NOT NULL,
  -- The workflow that owns this connection; a second one is refused.
  workflow_id     text        NOT NULL,
  opened_at       timestamptz NOT NULL DEFAULT now(),
  -- Grows with each new table or column, so that a worker sees that its copy of the names is old.
  catalog_version bigint      NOT NULL DEFAULT 0
);

-- Up to where each part of a stream is complete. Moves only when a slice closes, never back.
CREATE TABLE bookmarks (
  schema_name text        NOT NULL REFERENCES connections ON DELETE CASCADE,
  stream      text        NOT NULL,
  part        text        NOT NULL,
  bookmark    timestamptz NOT NULL,
  PRIMARY KEY (schema_name, stream, part)
);

-- Our position in each slice, with the counts of what was loaded since the last run was closed.
CREATE TABLE checkpoints (
  schema_name       text        NOT NULL REFERENCES connections ON DELETE CASCADE,
  job               text        NOT NULL,
  stream            text        NOT NULL,
  slice             text        NOT NULL,
  part              text        NOT NULL,
  from_at           timestamptz NOT NULL,
  to_at             timestamptz NOT NULL,
  -- What the bookmark becomes when this slice closes; null for slices of the history lane.
  bookmark_on_close timestamptz,
  position          jsonb,
  -- The fence: whoever commits a page must have read the version that is still here.
  version           bigint      NOT NULL DEFAULT 0,
  is_done           boolean     NOT NULL DEFAULT false,
  total_records     bigint,
  pages             bigint      NOT NULL DEFAULT 0,
  requests          bigint      NOT NULL DEFAULT 0,
  fetched           bigint      NOT NULL DEFAULT 0,
  inserted          bigint      NOT NULL DEFAULT 0,
  updated           bigint      NOT NULL DEFAULT 0,
  unchanged         bigint      NOT NULL DEFAULT 0,
  stale             bigint      NOT NULL DEFAULT 0,
  rejected          bigint      NOT NULL DEFAULT 0,
  rows              bigint      NOT NULL DEFAULT 0,
  updated_at        timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (schema_name, job, stream, slice),
  CONSTRAINT nothing_unaccounted CHECK (fetched = inserted + updated + unchanged + stale + rejected)
);

CREATE TABLE streams (
  schema_name     text   NOT NULL REFERENCES connections ON DELETE CASCADE,
  stream          text   NOT NULL,
  status          text   NOT NULL DEFAULT 'Pending',
  problem         text,
  rows            bigint NOT NULL DEFAULT 0,
  last_success_at timestamptz,
  PRIMARY KEY (schema_name, stream)
);

CREATE TABLE runs (
  run         text PRIMARY KEY,
  schema_name text        NOT NULL REFERENCES connections ON DELETE CASCADE,
  job         text        NOT NULL,
  kind        text        NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  outcome     text
);
CREATE INDEX runs_by_schema ON runs (schema_name, started_at DESC);

CREATE TABLE run_streams (
  run       text   NOT NULL REFERENCES runs ON DELETE CASCADE,
  stream    text   NOT NULL,
  pages     bigint NOT NULL,
  requests  bigint NOT NULL,
  fetched   bigint NOT NULL,
  inserted  bigint NOT NULL,
  updated   bigint NOT NULL,
  unchanged bigint NOT NULL,
  stale     bigint NOT NULL,
  rejected  bigint NOT NULL,
  rows      bigint NOT NULL,
  problem   text,
  PRIMARY KEY (run, stream),
  CONSTRAINT nothing_unaccounted CHECK (fetched = inserted + updated + unchanged + stale + rejected)
);

-- Names are decided once: which table an array went to, which column a field and type went to.
CREATE TABLE warehouse_tables (
  schema_name text NOT NULL REFERENCES connections ON DELETE CASCADE,
  path        text NOT NULL,
  stream      text NOT NULL,
  table_name  text NOT NULL,
  -- How many arrays deep: 0 for a stream's own table.
  levels      int  NOT NULL,
  -- When something that was dropped by hand was made again in the tables of a stream: what was
  -- loaded before may lack it, and is written anew when it is read again. Only for a root.
  repaired_at timestamptz,
  PRIMARY KEY (schema_name, path),
  UNIQUE (schema_name, table_name)
);

CREATE TABLE warehouse_columns (
  schema_name text NOT NULL,
  table_path  text NOT NULL,
  path        text NOT NULL,
  type        text NOT NULL,
  column_name text NOT NULL,
  ordinal     bigint GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (schema_name, table_path, path, type),
  UNIQUE (schema_name, table_path, column_name),
  FOREIGN KEY (schema_name, table_path) REFERENCES warehouse_tables ON DELETE CASCADE
);

-- The label a custom field had when it was first seen: its column is named by it for ever.
CREATE TABLE custom_fields (
  schema_name text NOT NULL REFERENCES connections ON DELETE CASCADE,
  field_id    text NOT NULL,
  -- lead, contact, opportunity, activity; empty when the key may not read the definition.
  family      text NOT NULL,
  label       text NOT NULL,
  PRIMARY KEY (schema_name, field_id),
  UNIQUE (schema_name, family, label)
);

-- One budget for each key and group of endpoints, shared by all workers. The key is a hash.
CREATE TABLE rate_budgets (
  budget         text        NOT NULL,
  endpoint_group text        NOT NULL,
  -- Requests in one window of Close, and how many of the present one are left.
  window_limit   bigint      NOT NULL,
  remaining      bigint      NOT NULL,
  resets_at      timestamptz NOT NULL,
  window_ms      bigint      NOT NULL,
  blocked_until  timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (budget, endpoint_group)
);

CREATE VIEW sync_status AS
SELECT s.schema_name AS schema,
       s.stream,
       s.status,
       b.bookmark,
       now() - b.bookmark AS lag,
       s.rows + coalesce(c.inserted, 0) AS rows,
       s.last_success_at,
       s.problem
  FROM streams s
  LEFT JOIN LATERAL (SELECT min(bookmark) AS bookmark FROM bookmarks
                      WHERE schema_name = s.schema_name AND stream = s.stream) b ON true
  LEFT JOIN LATERAL (SELECT sum(inserted)::bigint AS inserted FROM checkpoints
                      WHERE schema_name = s.schema_name AND stream = s.stream) c ON true;

COMMENT ON VIEW sync_status IS 'One row for each stream: what it does, up to where it is complete, how many rows it has.';
COMMENT ON TABLE runs IS 'One row for each sync: the historical one, each incremental one, each backfill.';
COMMENT ON TABLE run_streams IS 'What each sync did to each stream; fetched = inserted + updated + unchanged + stale + rejected.';

-- Down Migration
