/**
 * Admits jobs that are blocked by the limit of their concurrency key. It is the only way from `blocked` to `ready`,
 * and takes turns by an advisory lock a key, so a key never has more jobs ready or running than its limit.
 * Use is counted from those jobs themselves: nothing can leak.
 *
 * Jobs of a paused queue are passed over, and those of it that were admitted and not yet claimed wait again: others of
 * their keys may run meanwhile.
 *
 * An admitted job goes to the end of the line of its priority: with many keys waiting, each gets its turn, and a
 * key with 100,000 jobs holds no more places in line than its limit.
 */
import { endWhenStill, type Pool, type Sql } from '../db.ts'
import { probe } from './probe.ts'
import { hintWork } from './wake.ts'

/** Each key takes a lock in PostgreSQL's shared lock table. */
const keysAtOnce = 200
const scannedKeys = 1000
/** Who is paused in the middle keeps the locks that all others wait for. */
const standstillSeconds = 10

/** @returns how many jobs were admitted */
export async function admit(sql: Pool, keys: string[]): Promise<number> {
  const distinct = [...new Set(keys)].sort()
  let admitted = 0
  for (let first = 0; first < distinct.length; first += keysAtOnce) {
    admitted += await admitKeys(sql, distinct.slice(first, first + keysAtOnce))
  }
  if (admitted > 0) hintWork(sql)
  return admitted
}

/**
 * Admits what waits although its key has room: jobs that were enqueued since, or whose admission was cut off. Looks at
 * some keys each time.
 * @param after the key at which the last call stopped
 * @returns where to go on; null: all were looked at
 */
export async function admitWaiting(sql: Pool, after: string | null): Promise<string | null> {
  // A loose scan of jobs_blocked_idx: one step a key, however many jobs wait under it; then jobs_admitted_idx.
  const keys = await sql<{ key: string; hasRoom: boolean }[]>`
    with recursive keys as (
      (
        select concurrency_key as key, concurrency_key_limit as key_limit, 1 as step from job_server.jobs
        where state = 'blocked' and concurrency_key > ${after ?? ''} and ${goesOn(sql)}
        order by concurrency_key, priority desc, turn_at, id
        limit 1
      )
      union all
      select next.key, next.key_limit, keys.step + 1
      from keys
      cross join lateral (
        select concurrency_key as key, concurrency_key_limit as key_limit from job_server.jobs
        where state = 'blocked' and concurrency_key > keys.key and ${goesOn(sql)}
        order by concurrency_key, priority desc, turn_at, id
        limit 1
      ) as next
      where keys.step < ${scannedKeys}
    )
    select key, key_limit > (
      select count(*) from job_server.jobs
      where state in ('ready', 'running') and concurrency_key is not null and concurrency_key = keys.key
    ) as has_room
    from keys`
  const open = keys.filter(({ hasRoom }) => hasRoom).map(({ key }) => key)
  await admit(sql, open)
  return keys.length === scannedKeys ? (keys.at(-1)?.key ?? null) : null
}

/** Of paused queues, whoever paused them and whenever. */
export async function withdraw(sql: Sql): Promise<void> {
  // jobs_admitted_idx; what is being claimed at this moment is passed by.
  await sql`
    with admitted as materialized (
      select id from job_server.jobs
      where state in ('ready', 'running') and concurrency_key is not null and state = 'ready' and not ${goesOn(sql)}
      for update skip locked
    )
    update job_server.jobs set state = 'blocked', turn_at = queued_at
    from admitted
    where ${probe(sql, sql`jobs.id`, sql`admitted.id`)}`
}

/**
 * Whether the queue of a job is not paused. `case`, of which PostgreSQL takes half to be true: by the bare condition it
 * would take nearly all to be paused, and sort all jobs of a key to find the few others.
 */
function goesOn(sql: Sql) {
  return sql`
    case when queue = any(array(select name from job_server.queues where paused_at is not null)) then false else true end`
}

async function admitKeys(sql: Pool, keys: string[]): Promise<number> {
  if (keys.length === 0) return 0
  return await sql.begin(async (tx) => {
    // In one order for all. Released with the transaction, so a pooler may stand between.
    await tx`
      select ${endWhenStill(tx, standstillSeconds)}, pg_advisory_xact_lock(hashtextextended('job-server.key.' || key, 0))
      from (select key from unnest(${keys}::text[]) as given (key) order by key) as ordered`
    // A statement of its own: its snapshot is from after the lock, so it counts what the last holder admitted. Whoever
    // cancels many holds one job and may wait for the next: what somebody holds is passed by, and looked at again later.
    const rows = await tx`
      with admissible as materialized (
        select next.id
        from unnest(${keys}::text[]) as given (key)
        cross join lateral (
          select concurrency_key_limit as key_limit from job_server.jobs
          where state = 'blocked' and concurrency_key = given.key and ${goesOn(tx)}
          order by priority desc, turn_at, id
          limit 1
        ) as head
        cross join lateral (
          select count(*) as taken from job_server.jobs
          where state in ('ready', 'running') and concurrency_key is not null and concurrency_key = given.key
        ) as used
        cross join lateral (
          select id from job_server.jobs
          where state = 'blocked' and concurrency_key = given.key and ${goesOn(tx)}
          order by priority desc, turn_at, id
          limit greatest(head.key_limit - used.taken, 0)
          for update skip locked
        ) as next
      )
      update job_server.jobs set state = 'ready', turn_at = clock_timestamp()
      from admissible
      where ${probe(tx, tx`jobs.id`, tx`admissible.id`)}`
    return rows.count
  })
}
