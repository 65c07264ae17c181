-- Webhooks: who wants to be told of what happens to jobs, and what was sent to whom.
--
-- What is to be sent is derived from `events` by a reader with a durable cursor, so the statements that end jobs pay
-- nothing for it. The reader knows by PostgreSQL's snapshots what it has read: what is committed late is read late,
-- and never twice. Deliveries are jobs of the definition `webhook.deliver`; how they fare stands in their jobs.

create table webhooks (
  id uuid not null,
  url text not null,
  description text,
  event_types text[] not null,
  -- Only jobs of this definition, queue or tag; null: any.
  definition_key text,
  queue text,
  tag text,
  enabled boolean not null default true,
  -- What this sees happened before the webhook was made or enabled again, and is not told.
  since pg_snapshot not null default pg_current_snapshot(),
  disabled_at timestamptz,
  disabled_reason text,
  -- Attempts that failed since the last that succeeded, and when the first of them did.
  failures integer not null default 0,
  failing_since timestamptz,
  last_success_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint webhooks_pk primary key (id),
  constraint webhooks_url_length check (char_length(url) between 1 and 2000),
  constraint webhooks_wants_something check (cardinality(event_types) > 0),
  constraint webhooks_disabled_has_reason check (enabled = (disabled_at is null) and enabled = (disabled_reason is null)),
  constraint webhooks_disabled_reason_known check (disabled_reason in ('requested', 'gone', 'failing')),
  constraint webhooks_failures_have_beginning check ((failures = 0) = (failing_since is null))
);

-- Secrets that sign. They stand apart so that nothing reads one by the way. Readable, as signing needs them.
create table webhook_secrets (
  id bigint generated always as identity,
  webhook_id uuid not null,
  secret text not null,
  -- Null: the current one. Others sign beside it until then.
  expires_at timestamptz,
  constraint webhook_secrets_pk primary key (id),
  constraint webhook_secrets_webhook_fk foreign key (webhook_id) references webhooks (id) on delete cascade
);

create unique index webhook_secrets_current_unique on webhook_secrets (webhook_id) where expires_at is null;
create index webhook_secrets_webhook_idx on webhook_secrets (webhook_id, id desc);

-- Jobs whose end is told to an address of their own.
create table job_webhooks (
  job_id uuid not null,
  url text not null,
  since pg_snapshot not null default pg_current_snapshot(),
  -- When the delivery was enqueued.
  told_at timestamptz,
  constraint job_webhooks_pk primary key (job_id),
  constraint job_webhooks_url_length check (char_length(url) between 1 and 2000)
);

-- The jobs that are still to be told of, by how far back the reader must look for them.
create index job_webhooks_pending_idx on job_webhooks (pg_snapshot_xmin(since)) where told_at is null;

create table webhook_deliveries (
  id uuid not null,
  -- Null: for the address that a job brought, which is `url`.
  webhook_id uuid,
  url text,
  -- The job that it tells of, and the event; null in a test.
  job_id uuid,
  event_id bigint,
  event_type text not null,
  -- As it is sent, to the byte: the signature is over it.
  body text not null,
  -- The delivery that this one repeats because somebody asked for it.
  redelivery_of uuid,
  -- The job that carries it out.
  delivery_job_id uuid not null,
  created_at timestamptz not null default now(),
  constraint webhook_deliveries_pk primary key (id),
  constraint webhook_deliveries_webhook_fk foreign key (webhook_id) references webhooks (id) on delete cascade,
  constraint webhook_deliveries_has_address check ((webhook_id is null) = (url is not null))
);

-- Pages of the log; and each event once for each webhook, should the reader ever go wrong.
create index webhook_deliveries_webhook_idx on webhook_deliveries (webhook_id, id desc);
create index webhook_deliveries_job_idx on webhook_deliveries (job_id) where job_id is not null;
create unique index webhook_deliveries_event_unique on webhook_deliveries (event_id, webhook_id)
  where event_id is not null and redelivery_of is null and webhook_id is not null;
create unique index webhook_deliveries_job_event_unique on webhook_deliveries (event_id)
  where event_id is not null and webhook_id is null;

-- How far the reader has come, in the form of the event stream's cursors. One row.
create table webhook_cursor (
  single boolean not null default true,
  position text not null,
  constraint webhook_cursor_pk primary key (single),
  constraint webhook_cursor_single check (single)
);

insert into webhook_cursor (position) values (pg_current_snapshot()::text);
