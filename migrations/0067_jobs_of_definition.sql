-- Jobs of a definition, for lists alone. A claim, which names a definition too, must not be given this index: it has the
-- entry of every job that ever was where some open transaction keeps vacuum from removing them, and by statistics of a
-- moment in which nothing waited it looks as good as the one in the order of claims. No claim can show that it asks for
-- what is in a partial index, unless it says so.

-- At once, what the last of the statements needs: taken after a lesser lock it would meet workers that wait for that one.
lock table jobs in access exclusive mode;
create index jobs_listed_idx on jobs (definition_key, id desc) where definition_key <> '';
drop index jobs_definition_idx;
alter index jobs_listed_idx rename to jobs_definition_idx;
