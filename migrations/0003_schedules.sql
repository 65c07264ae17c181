-- Recurring jobs. A fire is recorded under (schedule, fire time) in the transaction that enqueues, so two
-- leaders, or one that was paused and went on, can't fire the same time twice.

create table schedules (
  id uuid not null,
  name text not null,
  definition_key text not null,
  definition_version integer not null,
  params jsonb not null default '{}',
  priority integer not null default 0,
  cron text not null,
  timezone text not null default 'UTC',
  enabled boolean not null default true,
  next_fire_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint schedules_pk primary key (id),
  constraint schedules_name_unique unique (name)
);

create index schedules_due_idx on schedules (next_fire_at) where enabled;

create table schedule_fires (
  schedule_id uuid not null,
  fire_at timestamptz not null,
  fired_at timestamptz not null default now(),
  job_id uuid,
  outcome text not null,
  error text,
  constraint schedule_fires_pk primary key (schedule_id, fire_at),
  constraint schedule_fires_schedule_fk foreign key (schedule_id) references schedules (id) on delete cascade,
  constraint schedule_fires_outcome_known check (outcome in ('enqueued', 'skipped', 'failed'))
);

-- A right held until a time by one process, named by its growing epoch: the scheduler's leadership.
create table leases (
  name text not null,
  holder text not null,
  epoch bigint not null,
  expires_at timestamptz not null,
  constraint leases_pk primary key (name)
);
