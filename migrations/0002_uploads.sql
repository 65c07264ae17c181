-- Uploads: bytes on their way into storage by presigned links, before any job knows them.

create table uploads (
  id uuid not null,
  status text not null default 'waiting',
  object_key text not null,
  filename text not null,
  content_type text not null,
  size_bytes bigint not null,
  multipart_id text,
  part_size_bytes bigint,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  error text,
  constraint uploads_pk primary key (id),
  constraint uploads_object_key_unique unique (object_key),
  constraint uploads_status_known check (status in ('waiting', 'completed', 'cancelled', 'timed_out', 'errored')),
  constraint uploads_size_positive check (size_bytes > 0),
  constraint uploads_parts_have_size check ((multipart_id is null) = (part_size_bytes is null))
);

create index uploads_waiting_idx on uploads (expires_at) where status = 'waiting';
