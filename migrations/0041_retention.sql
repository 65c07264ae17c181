-- What keeps bytes in storage, so that they can go when nothing does: which jobs name which uploads or outputs of others
-- in their parameters, and which jobs have ever been let write. All are looked at through primary keys and the indexes here.

-- `owner_id` is the id of an upload, or of the job whose outputs are named. A row without its job counts for nothing.
create table source_uses (
  owner_id uuid not null,
  job_id uuid not null,
  constraint source_uses_pk primary key (owner_id, job_id)
);
create index source_uses_job_idx on source_uses (job_id);

-- Jobs that were given a link to write with: there may be something below their prefix.
create table job_outputs (
  job_id uuid not null,
  constraint job_outputs_pk primary key (job_id)
);

-- When it was last known to be in use; null: not since it was completed.
alter table uploads add column used_at timestamptz;
create index uploads_idle_idx on uploads (coalesce(used_at, ended_at))
  where status = 'completed' and bytes_removed_at is null;
create index uploads_removed_idx on uploads (bytes_removed_at) where bytes_removed_at is not null;

-- What the built-in encode used and wrote so far; jobs of other definitions are known from now on.
insert into source_uses (owner_id, job_id)
select distinct uploads.id, encodes.id
from (
  select id, params from jobs where definition_key = 'encode.video'
  union all
  select id, params from job_history where definition_key = 'encode.video'
) as encodes
join uploads on object_key in (params #>> '{source,key}', params #>> '{watermark,key}');

insert into job_outputs (job_id)
select id from jobs where definition_key = 'encode.video'
union
select id from job_history where definition_key = 'encode.video' and status = 'succeeded';
