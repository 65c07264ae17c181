-- Recurring jobs. A fire is recorded under (schedule, fire time) in the transaction that enqueues, so two
-- leaders, or one that was paused and went on, can't fire the same time twice.

create table schedules (
  id uuid not null,
  name text not null,
  -- `api`: made by a client; `code`: kept in step with the `schedule` of its definition, by the name key@version.
  source text not null default 'api',
  definition_key text not null,
  definition_version integer not null,
  params jsonb not null default '{}',
  priority integer not null default 0,
  -- Null: the definition's.
  queue text,
  -- A cron expression, `every 90s`, or one ISO 8601 time.
  expression text not null,
  timezone text not null default 'UTC',
  enabled boolean not null default true,
  -- Fires at its times from `starts_at` on and before `ends_at`.
  starts_at timestamptz,
  ends_at timestamptz,
  jitter_seconds double precision not null default 0,
  overlap text not null default 'allow',
  catch_up text not null default 'last',
  catch_up_limit integer not null default 100,
  -- Null when disabled, or when no time is to come. `due_at` is the time with its jitter.
  next_fire_at timestamptz,
  due_at timestamptz,
  last_fire_at timestamptz,
  last_job_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint schedules_pk primary key (id),
  constraint schedules_name_unique unique (name),
  constraint schedules_name_length check (char_length(name) between 1 and 300),
  constraint schedules_source_known check (source in ('api', 'code')),
  constraint schedules_queue_length check (char_length(queue) between 1 and 100),
  constraint schedules_jitter_not_negative check (jitter_seconds >= 0),
  constraint schedules_overlap_known check (overlap in ('allow', 'skip', 'queueOne')),
  constraint schedules_catch_up_known check (catch_up in ('none', 'last', 'all')),
  constraint schedules_catch_up_limit_range check (catch_up_limit between 1 and 1000),
  constraint schedules_due_with_fire check ((next_fire_at is null) = (due_at is null)),
  constraint schedules_disabled_not_due check (enabled or due_at is null)
);

create index schedules_due_idx on schedules (due_at) where due_at is not null;
create index schedules_definition_idx on schedules (definition_key, definition_version);

create table schedule_fires (
  schedule_id uuid not null,
  -- The time of the expression, without jitter; for a manual one, when it was asked for.
  fire_at timestamptz not null,
  manual boolean not null default false,
  recorded_at timestamptz not null default now(),
  outcome text not null,
  job_id uuid,
  -- Times that were missed one after another stand in one row: `fire_at` is the first, this the last.
  missed_through timestamptz,
  -- How many they are; null: more than were counted.
  missed_times integer,
  -- Why it was skipped, missed or failed.
  reason text,
  constraint schedule_fires_pk primary key (schedule_id, fire_at, manual),
  constraint schedule_fires_schedule_fk foreign key (schedule_id) references schedules (id) on delete cascade,
  constraint schedule_fires_outcome_known check (outcome in ('enqueued', 'skipped', 'missed', 'failed')),
  constraint schedule_fires_job_when_enqueued check ((outcome = 'enqueued') = (job_id is not null)),
  constraint schedule_fires_span_when_missed check ((outcome = 'missed') = (missed_through is not null))
);

-- The overlap policy looks for the jobs of the latest fires.
create index schedule_fires_jobs_idx on schedule_fires (schedule_id, fire_at desc) where job_id is not null;
-- For retention; rows come in the order of this column.
create index schedule_fires_recorded_idx on schedule_fires using brin (recorded_at);

-- The product's own upkeep: each duty runs once in its interval, whoever looks and however many do.
create table upkeep_duties (
  name text not null,
  interval_seconds double precision not null,
  next_run_at timestamptz not null default now(),
  -- Grows with each run; the one that ends a run names it.
  run bigint not null default 0,
  -- A run that is not over by then died.
  running_until timestamptz,
  last_started_at timestamptz,
  last_duration_seconds double precision,
  last_outcome jsonb,
  last_error text,
  constraint upkeep_duties_pk primary key (name),
  constraint upkeep_duties_interval_positive check (interval_seconds > 0)
);

-- A right held until a time by one process, named by its growing epoch: the scheduler's leadership.
create table leases (
  name text not null,
  holder text not null,
  epoch bigint not null,
  expires_at timestamptz not null,
  constraint leases_pk primary key (name)
);
