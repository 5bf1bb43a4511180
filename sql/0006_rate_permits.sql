-- Up Migration

-- Unlogged: what is lost with it, Close tells again in its next answer.
DROP TABLE rate_budgets;

-- What Close's answers say of a group of endpoints, and who waits for it.
CREATE UNLOGGED TABLE rate_groups (
  -- A hash that tells two API keys apart.
  budget              text        NOT NULL,
  endpoint_group      text        NOT NULL,
  -- Requests in one window of Close; null before its first answer.
  window_limit        bigint,
  window_ms           bigint,
  -- How long an answer takes when nothing delays it.
  round_trip_ms       float8,
  blocked_until       timestamptz NOT NULL DEFAULT '-infinity',
  -- Until then a request of this lane waits for a permit.
  live_waits_until    timestamptz NOT NULL DEFAULT '-infinity',
  history_waits_until timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (budget, endpoint_group)
);

-- One for each request of a window. A permit that was used may be used again a window later.
CREATE UNLOGGED TABLE rate_permits (
  budget         text        NOT NULL,
  endpoint_group text        NOT NULL,
  permit         bigint      NOT NULL,
  used_at        timestamptz NOT NULL,
  PRIMARY KEY (budget, endpoint_group, permit)
);
