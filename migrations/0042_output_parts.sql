-- Multipart uploads that attempts write large outputs by, noted while they are open: parts of an attempt whose worker died
-- would stay for ever otherwise, where nobody sees them.

create table output_parts (
  multipart_id text not null,
  object_key text not null,
  job_id uuid not null,
  lease_epoch bigint not null,
  begun_at timestamptz not null default now(),
  constraint output_parts_pk primary key (lease_epoch, multipart_id)
);
create index output_parts_begun_idx on output_parts (begun_at);
