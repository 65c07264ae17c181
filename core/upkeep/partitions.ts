/**
 * Makes the partitions of the coming weeks and drops those past retention. A week is that in which its jobs were enqueued, and
 * what is kept is kept from a job's end: what jobs of an old week that live, or ended lately, have left moves to the default
 * partition first, from which `removeOrphans` takes it in time.
 *
 * All of it locks whole tables, which somebody may be reading for hours; behind who waits for that, every job would wait. So
 * it waits for a moment only, and what is in use has its turn the next time.
 */
import { isInUse, type Pool, type Sql } from '../db.ts'
import { groupsOf } from '../groups.ts'

const weeksAhead = 4
const lockTimeoutMs = 500
/** More would keep the table locked for seconds: their week stays until fewer of them are young. */
const mostMoved = 50_000
const idColumns: Record<string, string> = {
  job_history: 'id',
  attempts: 'job_id',
  events: 'job_id',
  logs: 'job_id',
}

export interface KeptPartitions {
  made: number
  dropped: number
  /** Rows of young jobs of weeks that were dropped. */
  moved: number
  /** How often one was in use. */
  inUse: number
}

export async function keepPartitions(sql: Pool, options: { retentionDays: number }): Promise<KeptPartitions> {
  const done: KeptPartitions = { made: 0, dropped: 0, moved: 0, inUse: 0 }
  const giveWay = async (act: (tx: Sql) => Promise<void>) => {
    if (!(await unlessInUse(sql, act))) done.inUse++
  }
  await giveWay(async (tx) => {
    const [row] = await tx<{ made: number }[]>`select job_server.ensure_partitions(${weeksAhead}) as made`
    done.made = row?.made ?? 0
  })
  for (const [firstDay, tables] of await weeksPast(sql, options)) {
    const young = await youngJobs(sql, firstDay, options)
    for (const { name, parent } of tables) {
      const old: Old = { name, parent, young }
      if ((await countYoung(sql, old)) > mostMoved) continue
      await giveWay(async (tx) => {
        done.moved += await dropOld(tx, old)
        done.dropped++
      })
    }
  }
  return done
}

/** @returns the partitions of each week whose last day is past retention, by its first day (UTC), which their names carry */
async function weeksPast(
  sql: Sql,
  { retentionDays }: { retentionDays: number },
): Promise<Map<string, { name: string; parent: string }[]>> {
  const past = await sql<{ name: string; parent: string; firstDay: string }[]>`
    select child.relname as name, parent.relname as parent, right(child.relname, 8) as first_day
    from pg_inherits
    join pg_class child on child.oid = inhrelid
    join pg_class parent on parent.oid = inhparent
    join pg_namespace on pg_namespace.oid = parent.relnamespace
    where nspname = 'job_server' and parent.relname = any(${Object.keys(idColumns)}) and child.relname ~ '_[0-9]{8}$'
      and to_date(right(child.relname, 8), 'YYYYMMDD') + 7 < (now() at time zone 'UTC')::date - ${retentionDays}::int
    order by first_day, parent.relname`
  return groupsOf(past, ({ firstDay }) => firstDay)
}

/**
 * Of the week's jobs those that live, or ended within retention. That of those that have ended reads the week once, as no index
 * has it: one more would be written to at the end of each job. One statement: a job that ends meanwhile is found on one side.
 */
async function youngJobs(
  sql: Sql,
  firstDay: string,
  { retentionDays }: { retentionDays: number },
): Promise<string[]> {
  const start = sql`(to_date(${firstDay}, 'YYYYMMDD')::timestamp at time zone 'UTC')`
  const isOfWeek = sql`
    id >= job_server.uuid_v7_floor(${start}) and id < job_server.uuid_v7_floor(${start} + interval '7 days')`
  // jobs_pk
  const rows = await sql<{ id: string }[]>`
    select id from job_server.job_history
    where ${isOfWeek} and finished_at >= now() - make_interval(days => ${retentionDays}::int)
    union all
    select id from job_server.jobs where ${isOfWeek}
    limit ${mostMoved + 1}`
  return rows.map(({ id }) => id)
}

interface Old {
  name: string
  parent: string
  /** Ids of the jobs whose rows are kept. */
  young: string[]
}

/** @returns how many rows would move; where they are too many, more than `mostMoved` */
async function countYoung(sql: Sql, { name, parent, young }: Old): Promise<number> {
  if (young.length === 0 || young.length > mostMoved) return young.length
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int from (
      select from job_server.${sql(name)}
      where ${sql(idColumns[parent] ?? '')} = any(${young}::uuid[])
      limit ${mostMoved + 1}
    ) as young`
  return row?.count ?? 0
}

/** @returns how many rows were moved */
async function dropOld(tx: Sql, { name, parent, young }: Old): Promise<number> {
  let moved = 0
  if (young.length > 0) {
    // Before the rows move: as long as it is there, they may be nowhere else.
    await tx`alter table job_server.${tx(parent)} detach partition job_server.${tx(name)}`
    const kept = await tx`
      insert into job_server.${tx(`${parent}_default`)} overriding system value
      select * from job_server.${tx(name)} where ${tx(idColumns[parent] ?? '')} = any(${young}::uuid[])`
    moved = kept.count
  }
  await tx`drop table if exists job_server.${tx(name)}`
  return moved
}

/** @returns false when others did not let go of what it needs */
async function unlessInUse(sql: Pool, act: (tx: Sql) => Promise<void>): Promise<boolean> {
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(`set local lock_timeout = ${lockTimeoutMs}`)
      await act(tx)
    })
    return true
  } catch (error) {
    if (isInUse(error)) return false
    throw error
  }
}
