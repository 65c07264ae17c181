-- What a fleet is scaled by. Autoscalers ask it from outside, so the rule stands here and not in each of their files.

-- jobs: those that run, and those that a worker more could begin: of each lane up to a thousand, more than a fleet runs at
--   once, of a definition with limits as many as these leave room for, and none that no living worker serves.
-- oldest_seconds: for how long the one that waits longest has been claimable. Those of definitions with limits wait by
--   design, whatever workers there are, and do not count.
-- unserved_jobs: those that wait for a definition or a queue that none of the living workers has. While none lives that
--   takes up jobs, there are no such: one has to begin.
-- of_queues: those of a fleet with `QUEUES`; default: all fleets, so the one that is scaled by it must not go down to none
--   while others live.
create function demand(of_queues text[] default null)
returns table (jobs bigint, oldest_seconds float8, unserved_jobs bigint)
language sql stable set search_path = job_server, pg_catalog as $$
  with fleets as (
    select distinct info -> 'queues' as queues, info -> 'definitions' as definitions
    from workers
    -- Alive is who is for `silentSeconds`. One that drains has no definitions any more.
    where kind = 'worker' and heartbeat_at > now() - interval '30 seconds' and info -> 'definitions' <> '[]'
      and (of_queues is null or info -> 'queues' ?| of_queues)
  ),
  waiting as (
    select
      definition_key, definition_version, first.count, first.oldest_at,
      not exists (select from fleets) or exists (
        select from fleets
        where (queues = '[]' or queues ? lanes.queue) and definitions ? (definition_key || '@' || definition_version)
      ) as is_served
    from lanes
    cross join lateral (
      select count(*) as count, min(claimable_at) as oldest_at
      from (
        select greatest(turn_at, scheduled_at) as claimable_at
        from jobs
        where state = 'ready' and jobs.queue = lanes.queue
          and jobs.definition_key = lanes.definition_key and jobs.definition_version = lanes.definition_version
        order by priority desc, turn_at, id
        limit 1000
      ) as in_line
    ) as first
    where first.count > 0
      and (of_queues is null or lanes.queue = any (of_queues))
      and not exists (select from queues where name = lanes.queue and paused_at is not null)
  ),
  -- A definition with jobs in several queues has one room for them all.
  by_definition as (
    select
      definition_key, definition_version,
      coalesce(sum(count) filter (where is_served), 0) as served,
      coalesce(sum(count) filter (where not is_served), 0) as unserved,
      min(oldest_at) filter (where is_served) as oldest_at
    from waiting
    group by definition_key, definition_version
  ),
  claimable as (
    select
      unserved,
      case when is_limited then greatest(0, least(served, room)) else served end as jobs,
      case when not is_limited then oldest_at end as oldest_at
    from by_definition
    join definitions on definitions.key = definition_key and definitions.version = definition_version
    cross join lateral (select concurrency_limit is not null or rate_limit_count is not null as is_limited) as limits
    left join lateral (
      select least(
        concurrency_limit - (
          select count(*) from jobs
          where state = 'running' and jobs.definition_key = definitions.key and jobs.definition_version = definitions.version
        ),
        rate_limit_count - (
          select count(*) from rate_starts
          where rate_starts.definition_key = definitions.key and rate_starts.definition_version = definitions.version
            and started_at > statement_timestamp() - make_interval(secs => rate_limit_seconds)
        )
      ) as room
    ) as rooms on is_limited
  )
  select
    (
      select count(*) from (
        select from jobs where state = 'running' and (of_queues is null or queue = any (of_queues)) limit 10000
      ) as running
    ) + coalesce(sum(claimable.jobs), 0)::bigint,
    coalesce(extract(epoch from now() - min(claimable.oldest_at)), 0)::float8,
    coalesce(sum(unserved), 0)::bigint
  from claimable
$$;
