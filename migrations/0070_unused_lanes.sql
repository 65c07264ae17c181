-- When a lane was last known to be in use, so that those of queues which are used no more can go: a claim looks at every
-- lane there is. `core/queue/lanes.ts` has how that goes beside those who enqueue; of the version before, too, for which a
-- lane is there as long as its row is.
alter table lanes add column used_at timestamptz not null default now();
