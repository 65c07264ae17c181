-- The statement that ends jobs asks this of the few that have waited for children. A function of PL/pgSQL is planned when
-- it is first called, once a session; a join with `attempts` would be planned each time, with all its partitions.

-- The lease epochs of the attempts in which the job began to wait for its children.
create function waiting_attempts(job uuid) returns setof bigint
language plpgsql stable rows 1 set search_path = job_server, pg_catalog as $$
begin
  return query select lease_epoch from attempts where attempts.job_id = job and attempts.outcome = 'waiting';
end
$$;
