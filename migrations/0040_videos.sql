-- Videos beyond one encode: outputs that were added later, and the secret behind links that players can follow.

-- Which later encodes added to the outputs of which first one. Both ids are of jobs; rows go with their history.
create table video_additions (
  video_id uuid not null,
  job_id uuid not null,
  constraint video_additions_pk primary key (video_id, job_id)
);

-- What all processes must know alike and nobody else, made by whoever needs it first.
create table secrets (
  name text not null,
  value bytea not null,
  created_at timestamptz not null default now(),
  constraint secrets_pk primary key (name),
  constraint secrets_long_enough check (octet_length(value) >= 32)
);
