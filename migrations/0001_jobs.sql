-- The queue: definitions, live jobs, attempts, events, history, dead letters, idempotency keys.
--
-- `jobs` holds only what is not finished, so that the claim index stays as small as the work that waits.
-- Finishing moves the row to `job_history`. History, attempts and events are partitioned by job id: ids are
-- UUIDv7, so a range of ids is a range of time, a look-up by id reads one partition, and retention is
-- DROP PARTITION.
--
-- The runner creates the schema `job_server` and puts it first on the search path of every migration.

create table definitions (
  key text not null,
  version integer not null,
  queue text not null,
  default_max_attempts integer not null,
  timeout_seconds double precision not null,
  concurrency_limit integer,
  backoff jsonb not null,
  params_schema jsonb not null,
  registered_at timestamptz not null default now(),
  constraint definitions_pk primary key (key, version),
  constraint definitions_key_length check (char_length(key) between 1 and 255),
  constraint definitions_version_positive check (version > 0),
  constraint definitions_max_attempts_range check (default_max_attempts between 1 and 1000)
);

-- One number for every claim ever made: a lease is recognised by it, and it never goes back.
create sequence lease_epochs as bigint;

create table jobs (
  id uuid not null,
  definition_key text not null,
  definition_version integer not null,
  queue text not null,
  state text not null,
  priority integer not null,
  attempts integer not null default 0,
  max_attempts integer not null,
  crash_count integer not null default 0,
  timeout_seconds double precision not null,
  idempotency_key text,
  params jsonb not null,
  progress jsonb,
  checkpoint jsonb,
  error_code text,
  error_summary text,
  queued_at timestamptz not null default now(),
  scheduled_at timestamptz,
  started_at timestamptz,
  cancel_requested_at timestamptz,
  worker_id text,
  lease_epoch bigint,
  lease_expires_at timestamptz,
  heartbeat_at timestamptz,
  constraint jobs_pk primary key (id),
  constraint jobs_state_known check (state in ('scheduled', 'ready', 'running')),
  constraint jobs_max_attempts_range check (max_attempts between 1 and 1000),
  constraint jobs_lease_while_running check (
    (state = 'running') = (lease_epoch is not null and lease_expires_at is not null and worker_id is not null)
  ),
  constraint jobs_scheduled_has_time check (state <> 'scheduled' or scheduled_at is not null)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- The claim reads one of the two ready indexes alone: delayed, running and finished jobs are not in it.
create index jobs_ready_idx on jobs (priority desc, id) where state = 'ready';
create index jobs_ready_queue_idx on jobs (queue, priority desc, id) where state = 'ready';
create index jobs_due_idx on jobs (scheduled_at) where state = 'scheduled';
create index jobs_lease_idx on jobs (lease_expires_at) where state = 'running';
create index jobs_definition_idx on jobs (definition_key, id desc);

create table job_history (
  id uuid not null,
  definition_key text not null,
  definition_version integer not null,
  queue text not null,
  status text not null,
  priority integer not null,
  attempts integer not null,
  max_attempts integer not null,
  crash_count integer not null,
  timeout_seconds double precision not null,
  idempotency_key text,
  params jsonb not null,
  progress jsonb,
  result jsonb,
  error_code text,
  error_summary text,
  queued_at timestamptz not null,
  scheduled_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz not null,
  heartbeat_at timestamptz,
  worker_id text,
  lease_epoch bigint,
  constraint job_history_pk primary key (id),
  constraint job_history_status_final check (status in ('succeeded', 'failed', 'cancelled'))
) partition by range (id);

create index job_history_definition_idx on job_history (definition_key, id desc);
create index job_history_status_idx on job_history (status, id desc);

create table attempts (
  job_id uuid not null,
  lease_epoch bigint not null,
  attempt integer not null,
  worker_id text not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  outcome text not null,
  error_code text,
  error jsonb,
  constraint attempts_pk primary key (job_id, lease_epoch)
) partition by range (job_id);

create table events (
  id bigint generated always as identity,
  job_id uuid not null,
  event_type text not null,
  at timestamptz not null default clock_timestamp(),
  payload jsonb not null default '{}',
  constraint events_pk primary key (job_id, id)
) partition by range (job_id);

create table dead_letters (
  id uuid not null,
  original_job_id uuid not null,
  definition_key text not null,
  definition_version integer not null,
  queue text not null,
  priority integer not null,
  attempts integer not null,
  max_attempts integer not null,
  params jsonb not null,
  idempotency_key text,
  error_code text,
  error_summary text,
  queued_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz not null,
  moved_to_dlq_at timestamptz not null default now(),
  redriven_job_id uuid,
  constraint dead_letters_pk primary key (id),
  constraint dead_letters_original_job_unique unique (original_job_id)
);

create index dead_letters_definition_idx on dead_letters (definition_key, id desc);

-- Outlives the job's move to history, so that a repeated request meets its first job however late it comes.
create table idempotency_keys (
  definition_key text not null,
  key text not null,
  job_id uuid not null,
  params_hash bytea not null,
  expires_at timestamptz not null,
  constraint idempotency_keys_pk primary key (definition_key, key),
  constraint idempotency_keys_length check (char_length(key) between 1 and 255)
);

create index idempotency_keys_expiry_idx on idempotency_keys (expires_at);

create table workers (
  id text not null,
  kind text not null,
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  slots integer not null,
  info jsonb not null default '{}',
  constraint workers_pk primary key (id),
  constraint workers_kind_known check (kind in ('worker', 'scheduler'))
);

-- The smallest UUIDv7 of a moment: 48 bits of Unix milliseconds, then zeros (RFC 9562, 5.7).
create function uuid_v7_floor(moment timestamptz) returns uuid
language sql immutable parallel safe set search_path = pg_catalog as $$
  select (
    overlay(lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') placing '-' from 9 for 0)
    || '-0000-0000-000000000000'
  )::uuid
$$;

-- Creates the weekly partitions of history, attempts and events from this week to `weeks_ahead` weeks on.
-- Rows that went to a default partition meanwhile, because nobody made theirs in time, move to the new one.
-- Safe to call at any time and by several callers; returns how many partitions it created.
create function ensure_partitions(weeks_ahead integer) returns integer
language plpgsql set search_path = job_server, pg_catalog as $$
declare
  created integer := 0;
  week timestamptz;
  parent text;
  partition text;
  id_column text;
  first_id uuid;
  next_id uuid;
begin
  perform pg_advisory_xact_lock(hashtext('job-server.partitions'));
  for i in 0..weeks_ahead loop
    week := date_trunc('week', now() at time zone 'UTC') at time zone 'UTC' + i * interval '7 days';
    first_id := uuid_v7_floor(week);
    next_id := uuid_v7_floor(week + interval '7 days');
    foreach parent in array array['job_history', 'attempts', 'events'] loop
      partition := parent || '_' || to_char(week at time zone 'UTC', 'YYYYMMDD');
      if to_regclass(partition) is null then
        id_column := case parent when 'job_history' then 'id' else 'job_id' end;
        execute format('create table %I (like %I including defaults including constraints)', partition, parent);
        execute format(
          'with late as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from late',
          parent || '_default', id_column, first_id, id_column, next_id, partition
        );
        execute format(
          'alter table %I attach partition %I for values from (%L) to (%L)', parent, partition, first_id, next_id
        );
        created := created + 1;
      end if;
    end loop;
  end loop;
  return created;
end
$$;

-- Where rows go if the partitions were not made in time: nothing is refused, only slower to drop.
create table job_history_default partition of job_history default;
create table attempts_default partition of attempts default;
create table events_default partition of events default;

select ensure_partitions(4);
