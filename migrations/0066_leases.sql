-- Leases by when they end, of whatever has one: only running jobs do (jobs_lease_while_running). A statement that named
-- their state might be given jobs_running_idx, and read the entry of every job that has ever run where some open
-- transaction keeps vacuum from removing them.

-- At once, what the last of the statements needs: taken after a lesser lock it would meet workers that wait for that one.
lock table jobs in access exclusive mode;
create index jobs_held_idx on jobs (lease_expires_at) where lease_expires_at is not null;
drop index jobs_lease_idx;
alter index jobs_held_idx rename to jobs_lease_idx;
