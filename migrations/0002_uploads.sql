-- Uploads: bytes on their way into storage, by presigned links or through the API, before any job knows them.

create table uploads (
  id uuid not null,
  status text not null default 'waiting',
  object_key text not null,
  filename text not null,
  content_type text not null,
  -- Announced by the client; null while the API receives bytes whose number is not known.
  size_bytes bigint,
  multipart_id text,
  part_size_bytes bigint,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  -- Set when what an upload that did not become complete left in storage is gone for good.
  bytes_removed_at timestamptz,
  error text,
  constraint uploads_pk primary key (id),
  constraint uploads_object_key_unique unique (object_key),
  constraint uploads_status_known check (status in ('waiting', 'completed', 'cancelled', 'timed_out', 'errored')),
  constraint uploads_size_positive check (size_bytes > 0),
  constraint uploads_completed_has_size check (status <> 'completed' or size_bytes is not null),
  constraint uploads_parts_have_size check ((multipart_id is null) = (part_size_bytes is null))
);

create index uploads_removable_idx on uploads (expires_at) where status <> 'completed' and bytes_removed_at is null;
