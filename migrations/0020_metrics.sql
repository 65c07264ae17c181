-- Counters of what the fleet did, so that metrics cost the same with ten million finished jobs as with ten.
--
-- The statements that end and claim jobs append a row for each to the tallies, which have no index and conflict with
-- nobody. Upkeep folds tallies into totals by DELETE … RETURNING, so each row is counted once, whoever folds at the
-- same time; who reads adds both up in one snapshot. Counters know nothing of retention: they keep counting jobs
-- whose history was dropped.

create table end_tallies (
  ended_at timestamptz not null,
  definition_key text not null,
  definition_version integer not null,
  -- What became of the job; `queued` when it runs again.
  status text not null,
  -- How the attempt ended; null when the job ended without one, waiting.
  outcome text,
  attempts integer not null,
  queued_at timestamptz not null,
  -- Of the last attempt.
  started_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

create table end_totals (
  definition_key text not null,
  definition_version integer not null,
  status text not null,
  -- `none` when the job ended without an attempt.
  outcome text not null,
  -- Upper bound in seconds of the attempts' run time: a bucket of the histogram.
  run_le double precision not null,
  ends bigint not null,
  -- Jobs that ended for good after more than one attempt.
  retried bigint not null,
  run_seconds double precision not null,
  -- From the enqueuing of the job to the beginning of the attempt.
  queue_seconds double precision not null,
  constraint end_totals_pk primary key (definition_key, definition_version, status, outcome, run_le)
);

-- Jobs that ended for good, by the minute, for as long as throughput looks back.
create table end_minutes (
  minute timestamptz not null,
  succeeded bigint not null,
  failed bigint not null,
  cancelled bigint not null,
  constraint end_minutes_pk primary key (minute)
);

create table claim_tallies (
  queue text not null,
  claimed_at timestamptz not null,
  -- Since when the job could have been claimed; null: it was given back without a wait.
  claimable_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

create table claim_totals (
  queue text not null,
  -- Upper bound in seconds of the time for which the job had been claimable.
  wait_le double precision not null,
  claims bigint not null,
  wait_seconds double precision not null,
  constraint claim_totals_pk primary key (queue, wait_le)
);

-- How many dead letters wait for somebody is read from this alone.
create index dead_letters_open_idx on dead_letters (definition_key) where redriven_at is null;

-- What ended before there were tallies is tallied now. Workers of the version before that still run beside this one
-- end jobs without a tally.
insert into end_tallies
select
  finished_at, job_history.definition_key, job_history.definition_version, status, outcome, attempts, queued_at,
  attempts.started_at
from job_history
left join attempts on attempts.job_id = job_history.id and attempts.lease_epoch = job_history.lease_epoch;
