-- A count of the jobs that are not finished, kept by upkeep while there are so many that nobody who asks should have to
-- wait for counting them. Few are counted when asked, and then no row is here.

create table live_count (
  single boolean not null default true,
  counted_at timestamptz not null,
  -- Past it, who asks counts again: whoever kept it is gone.
  valid_until timestamptz not null,
  -- As `core/metrics/live.ts` groups them.
  groups jsonb not null,
  constraint live_count_pk primary key (single),
  constraint live_count_single check (single)
);
