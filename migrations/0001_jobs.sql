-- The queue: definitions, live jobs, attempts, events, logs, history, dead letters, idempotency keys.
--
-- `jobs` holds only what is not finished, so that the claim index stays as small as the work that waits.
-- Finishing moves the row to `job_history`. History, attempts, events and logs are partitioned by job id: ids are
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
  -- Jobs of this definition that run at once, over all workers; null: no limit.
  concurrency_limit integer,
  -- Jobs of one concurrency key that run at once, unless the job says otherwise.
  key_concurrency_limit integer not null default 1,
  -- At most so many attempts begin in any span of so many seconds.
  rate_limit_count integer,
  rate_limit_seconds double precision,
  backoff jsonb not null,
  params_schema jsonb not null,
  -- Names of the lifecycle hooks that the definition or its directory has.
  hooks text[] not null default '{}',
  registered_at timestamptz not null default now(),
  constraint definitions_pk primary key (key, version),
  constraint definitions_key_length check (char_length(key) between 1 and 255),
  constraint definitions_version_positive check (version > 0),
  constraint definitions_max_attempts_range check (default_max_attempts between 1 and 1000),
  constraint definitions_concurrency_limit_positive check (concurrency_limit > 0),
  constraint definitions_key_limit_positive check (key_concurrency_limit > 0),
  constraint definitions_rate_limit_whole check ((rate_limit_count is null) = (rate_limit_seconds is null)),
  constraint definitions_rate_limit_positive check (rate_limit_count > 0 and rate_limit_seconds > 0)
);

-- Every pair of queue and definition that jobs were ever enqueued for: a claim looks at the head of each, so what
-- waits in a paused queue, or for code that this worker has not loaded, is never read.
create table lanes (
  queue text not null,
  definition_key text not null,
  definition_version integer not null,
  constraint lanes_pk primary key (queue, definition_key, definition_version)
);

create table queues (
  name text not null,
  paused_at timestamptz,
  constraint queues_pk primary key (name),
  constraint queues_name_length check (char_length(name) between 1 and 100)
);

-- Begun attempts of rate-limited definitions, as far back as their limit looks.
create table rate_starts (
  definition_key text not null,
  definition_version integer not null,
  started_at timestamptz not null
);

create index rate_starts_idx on rate_starts (definition_key, definition_version, started_at);

-- One number for every claim ever made: a lease is recognised by it, and it never goes back.
create sequence lease_epochs as bigint;

create table jobs (
  id uuid not null,
  definition_key text not null,
  definition_version integer not null,
  queue text not null,
  state text not null,
  priority integer not null,
  -- Place in line among equal priorities: when the job was enqueued; with a concurrency key, when it was admitted.
  turn_at timestamptz not null default now(),
  attempts integer not null default 0,
  max_attempts integer not null,
  crash_count integer not null default 0,
  timeout_seconds double precision not null,
  backoff jsonb,
  idempotency_key text,
  concurrency_key text,
  concurrency_key_limit integer,
  parent_id uuid,
  -- What a job that waits for its children does when one of them does not succeed.
  on_child_failure text,
  -- When the job began to wait for its newest children, whose results its next attempts get.
  children_since timestamptz,
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
  constraint jobs_state_known check (state in ('scheduled', 'waiting', 'blocked', 'ready', 'running')),
  constraint jobs_max_attempts_range check (max_attempts between 1 and 1000),
  constraint jobs_lease_while_running check (
    (state = 'running') = (lease_epoch is not null and lease_expires_at is not null and worker_id is not null)
  ),
  constraint jobs_scheduled_has_time check (state <> 'scheduled' or scheduled_at is not null),
  constraint jobs_blocked_has_key check (state <> 'blocked' or concurrency_key is not null),
  constraint jobs_key_has_limit check ((concurrency_key is null) = (concurrency_key_limit is null)),
  constraint jobs_key_length check (char_length(concurrency_key) between 1 and 255),
  constraint jobs_key_limit_positive check (concurrency_key_limit > 0),
  constraint jobs_on_child_failure_known check (on_child_failure in ('fail', 'continue'))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- The claim reads the ready index alone, lane by lane: delayed, blocked, waiting, running and finished jobs are not
-- in it.
create index jobs_ready_idx on jobs (queue, definition_key, definition_version, priority desc, turn_at, id)
  where state = 'ready';
create index jobs_due_idx on jobs (scheduled_at) where state = 'scheduled';
create index jobs_blocked_idx on jobs (concurrency_key, priority desc, turn_at, id) where state = 'blocked';
-- What a key's limit is counted by: admitted jobs are ready or running.
create index jobs_admitted_idx on jobs (concurrency_key) where state in ('ready', 'running') and concurrency_key is not null;
create index jobs_waiting_idx on jobs (id) where state = 'waiting';
create index jobs_running_idx on jobs (definition_key, definition_version) where state = 'running';
create index jobs_lease_idx on jobs (lease_expires_at) where state = 'running';
create index jobs_parent_idx on jobs (parent_id) where parent_id is not null;
create index jobs_definition_idx on jobs (definition_key, id desc);

-- Jobs that wait for others. A row stays until the waiting job is released; whether the other has ended is read from
-- `jobs`, where it then no longer stands.
create table job_dependencies (
  job_id uuid not null,
  depends_on uuid not null,
  constraint job_dependencies_pk primary key (job_id, depends_on)
);

create index job_dependencies_on_idx on job_dependencies (depends_on);

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
  concurrency_key text,
  parent_id uuid,
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
create index job_history_parent_idx on job_history (parent_id) where parent_id is not null;

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

-- What jobs wrote to standard output and standard error, line by line, and through their log.
create table logs (
  id bigint generated always as identity,
  job_id uuid not null,
  lease_epoch bigint not null,
  at timestamptz not null,
  stream text not null,
  level text,
  text text not null,
  fields jsonb,
  constraint logs_pk primary key (job_id, id),
  constraint logs_stream_known check (stream in ('stdout', 'stderr', 'log'))
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
  timeout_seconds double precision not null,
  backoff jsonb,
  params jsonb not null,
  idempotency_key text,
  concurrency_key text,
  concurrency_key_limit integer,
  error_code text,
  error_summary text,
  -- What is known of a crash: exit code or signal, peak memory, the last lines of output.
  details jsonb,
  queued_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz not null,
  moved_to_dlq_at timestamptz not null default now(),
  redriven_at timestamptz,
  redriven_job_id uuid,
  constraint dead_letters_pk primary key (id),
  constraint dead_letters_original_job_unique unique (original_job_id),
  constraint dead_letters_redriven_whole check ((redriven_at is null) = (redriven_job_id is null))
);

create index dead_letters_moved_idx on dead_letters (moved_to_dlq_at desc, id desc);
create index dead_letters_definition_idx on dead_letters (definition_key, moved_to_dlq_at desc, id desc);

-- Outlives the job's move to history, so that a repeated request meets its first job however late it comes.
-- `client`: a key that a client gave; `unique`: the hash of the parameters of a job that asked to be the only one.
create table idempotency_keys (
  definition_key text not null,
  kind text not null,
  key text not null,
  job_id uuid not null,
  params_hash bytea not null,
  expires_at timestamptz not null,
  constraint idempotency_keys_pk primary key (definition_key, kind, key),
  constraint idempotency_keys_kind_known check (kind in ('client', 'unique')),
  constraint idempotency_keys_length check (char_length(key) between 1 and 255)
);

create index idempotency_keys_expiry_idx on idempotency_keys (expires_at);

-- Lifecycle hooks that are to be run, written in the statement that makes them due, so that none is forgotten
-- whoever dies. A worker takes one under a lease; one that fails or takes too long is recorded and given up.
create table hook_runs (
  id bigint generated always as identity,
  job_id uuid not null,
  definition_key text not null,
  definition_version integer not null,
  hook text not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  lease_expires_at timestamptz not null default '-infinity',
  tries integer not null default 0,
  constraint hook_runs_pk primary key (id)
);

create index hook_runs_job_idx on hook_runs (job_id, id);

-- Attempts whose worker died: what they wrote to storage is removed once their links are dead.
create table stray_outputs (
  lease_epoch bigint not null,
  job_id uuid not null,
  remove_after timestamptz not null,
  constraint stray_outputs_pk primary key (lease_epoch)
);

create index stray_outputs_due_idx on stray_outputs (remove_after);

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

-- Creates the weekly partitions of history, attempts, events and logs from this week to `weeks_ahead` weeks on.
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
    foreach parent in array array['job_history', 'attempts', 'events', 'logs'] loop
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
create table logs_default partition of logs default;

select ensure_partitions(4);
