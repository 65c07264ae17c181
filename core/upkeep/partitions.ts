/**
 * Makes the partitions of the coming weeks and drops those past retention. A week is that in which its jobs were enqueued, and
 * what is kept is kept from a job's end: what jobs of an old week that live, or ended lately, have left moves to the default
 * partition first, from which `removeOrphans` takes it in time.
 *
 * All of it locks whole tables, which somebody may be reading for hours; behind who waits for that, every job would wait. So
 * it waits for a moment only, and what is in use has its turn the next time. Nor may it have them for long, so that little
 * moves: where jobs that ended lately have left more, the partition stays; what is beyond that of jobs that live goes with it,
 * as a queue that is paused would keep it for ever.
 */
import { endWhenStill, hasClass, isInUse, type Pool, type Sql } from '../db.ts'
import { groupsOf } from '../groups.ts'

const weeksAhead = 4
const lockPatience = '500ms'
/** Partitions that come late take over what came before them, which may be much, and only more the next time. */
const makingPatience = { statement: '0', stillSeconds: 3600 }
const droppingPatience = { statement: '5s', stillSeconds: 10 }
/** Of one table: what takes a moment. */
const mostMoved: Size = { rows: 5000, bytes: 20 * 1024 ** 2 }
const jobsPerStatement = 100
const hoursOfWeek = 7 * 24
const hoursPerStatement = 3
const idColumns: Record<string, string> = {
  job_history: 'id',
  attempts: 'job_id',
  events: 'job_id',
  logs: 'job_id',
}

interface Size {
  rows: number
  bytes: number
}

export interface KeptPartitions {
  made: number
  dropped: number
  /** Rows of young jobs of weeks that were dropped. */
  moved: number
  /** How often one was in use. */
  inUse: number
  /** Names of those that stay, as jobs that ended within retention have left too much in them. */
  kept: string[]
  /** First days of the weeks that there was no time to read to their ends. */
  unread: string[]
}

export interface KeepOptions {
  retentionDays: number
  /** To stop: what is left is for the next time. */
  signal?: AbortSignal | undefined
  /** Who was stopped goes on from there. */
  readings?: Readings
  mostMoved?: Size
}

/** How far weeks are read, by their first day. */
export type Readings = Map<string, Reading>

/** The jobs of a week whose rows are kept, as far as it is read. */
interface Reading {
  /** How many hours of the week are read. */
  hours: number
  /** Ended within retention. More than may move: it was read no further. */
  ended: string[]
  /** Of those that lived when their hours were read, as many as may move. */
  live: string[]
  /** How many of them there were. */
  liveCount: number
}

export async function keepPartitions(sql: Pool, options: KeepOptions): Promise<KeptPartitions> {
  const { signal, readings = new Map(), mostMoved: most = mostMoved } = options
  const done: KeptPartitions = { made: 0, dropped: 0, moved: 0, inUse: 0, kept: [], unread: [] }
  const made = await unlessInUse(sql, makingPatience, async (tx) => {
    const [row] = await tx<{ made: number }[]>`select job_server.ensure_partitions(${weeksAhead}) as made`
    return row?.made ?? 0
  })
  if (made === null) done.inUse++
  else done.made = made
  for (const [firstDay, tables] of await weeksPast(sql, options)) {
    const reading = readings.get(firstDay) ?? { hours: 0, ended: [], live: [], liveCount: 0 }
    readings.set(firstDay, reading)
    await readWeek(sql, firstDay, reading, { ...options, most: most.rows })
    if (signal?.aborted) {
      done.unread.push(firstDay)
      break
    }
    readings.delete(firstDay)
    for (const { name, parent } of tables) {
      if (signal?.aborted) break
      const old: Old = { firstDay, name, parent, reading }
      const movable = await movableJobs(sql, old, most)
      if (movable === null) {
        done.kept.push(name)
        continue
      }
      const moved = await unlessInUse(sql, droppingPatience, (tx) => dropOld(tx, old, movable))
      if (moved === null) {
        done.inUse++
        continue
      }
      done.dropped++
      done.moved += moved
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
 * Reads on, some hours a statement: no index has which jobs ended lately, as one more would be written to at the end of each job,
 * and one statement for millions of rows would keep vacuum from its work for minutes. A job that ends meanwhile is found on one
 * side, as both are looked at by the same statement.
 */
async function readWeek(
  sql: Sql,
  firstDay: string,
  reading: Reading,
  { retentionDays, signal, most }: KeepOptions & { most: number },
): Promise<void> {
  while (reading.hours < hoursOfWeek && reading.ended.length <= most && !signal?.aborted) {
    const isOfPart = isOfHours(sql, firstDay, reading.hours, reading.hours + hoursPerStatement)
    // jobs_pk, job_history_pk of the week and of the default partition
    const [part] = await sql<Pick<Reading, 'ended' | 'live' | 'liveCount'>[]>`
      with live as materialized (select id from job_server.jobs where ${isOfPart})
      select
        array(
          select id from job_server.job_history
          where ${isOfPart} and finished_at >= now() - make_interval(days => ${retentionDays}::int)
          limit ${most + 1}
        )::text[] as ended,
        array(select id from live order by id limit ${most - reading.live.length})::text[] as live,
        (select count(*)::int from live) as live_count`
    if (part === undefined) throw new Error('hours of a week were not read')
    reading.hours += hoursPerStatement
    reading.ended.push(...part.ended)
    reading.live.push(...part.live)
    reading.liveCount += part.liveCount
  }
}

/** Of the hours of a week, counted from its first: those that begin at or after `from`, and before `to`. */
function isOfHours(sql: Sql, firstDay: string, from: number, to: number) {
  const at = (hours: number) => sql`
    job_server.uuid_v7_floor(
      (to_date(${firstDay}, 'YYYYMMDD')::timestamp at time zone 'UTC') + make_interval(hours => ${hours}::int)
    )`
  return sql`id >= ${at(from)} and id < ${at(to)}`
}

interface Old {
  firstDay: string
  name: string
  parent: string
  reading: Reading
}

/** @returns ids of the jobs whose rows move; null: those that ended have left too much */
async function movableJobs(sql: Sql, { name, parent, reading }: Old, most: Size): Promise<string[] | null> {
  if (reading.ended.length > most.rows) return null
  const idColumn = sql(idColumns[parent] ?? '')
  const left = { ...most }
  const take = async (ids: string[]): Promise<string[]> => {
    const tooLarge = new Set<string>()
    for (let at = 0; at < ids.length; at += jobsPerStatement) {
      const some = ids.slice(at, at + jobsPerStatement)
      const sizes = await sql<(Size & { id: string })[]>`
        select ${idColumn} as id, count(*)::int as rows, sum(pg_column_size(old.*))::float8 as bytes
        from job_server.${sql(name)} as old
        where ${idColumn} = any(${some}::uuid[])
        group by ${idColumn}`
      for (const { id, rows, bytes } of sizes) {
        if (rows > left.rows || bytes > left.bytes) tooLarge.add(id)
        else {
          left.rows -= rows
          left.bytes -= bytes
        }
      }
    }
    return ids.filter((id) => !tooLarge.has(id))
  }
  const ended = await take(reading.ended)
  if (ended.length < reading.ended.length) return null
  // Those of jobs without rows stay among them: they may get some at their end.
  const live = await take(reading.live)
  // Which are in the history have ended since they were read.
  return parent === 'job_history' && live.length < reading.live.length ? null : [...ended, ...live]
}

/** @returns how many rows were moved; null when jobs of which more is to be kept have ended meanwhile */
async function dropOld(tx: Sql, old: Old, movable: string[]): Promise<number | null> {
  const { name, parent } = old
  let moved = 0
  if (movable.length > 0) {
    if (parent === 'job_history' && !(await allStillLive(tx, old))) return null
    // Before the rows move: as long as it is there, they may be nowhere else.
    await tx`alter table job_server.${tx(parent)} detach partition job_server.${tx(name)}`
    const kept = await tx`
      insert into job_server.${tx(`${parent}_default`)} overriding system value
      select * from job_server.${tx(name)} where ${tx(idColumns[parent] ?? '')} = any(${movable}::uuid[])`
    moved = kept.count
  }
  await tx`drop table if exists job_server.${tx(name)}`
  return moved
}

/** Of more jobs that live than are known one by one: what one that ends leaves would be lost. From now on none can. */
async function allStillLive(tx: Sql, { firstDay, reading }: Old): Promise<boolean> {
  if (reading.liveCount === reading.live.length) return true
  await tx`lock table only job_server.job_history in access exclusive mode`
  const [row] = await tx<{ count: number }[]>`
    select count(*)::int from job_server.jobs where ${isOfHours(tx, firstDay, 0, hoursOfWeek)}`
  return row?.count === reading.liveCount
}

/** @returns null when others did not let go of what it needs, or it would have had it for too long */
async function unlessInUse<Result>(
  sql: Pool,
  { statement, stillSeconds }: { statement: string; stillSeconds: number },
  act: (tx: Sql) => Promise<Result>,
): Promise<Result | null> {
  try {
    const { result } = await sql.begin(async (tx) => {
      await tx`
        select
          ${endWhenStill(tx, stillSeconds)}, set_config('lock_timeout', ${lockPatience}, true),
          set_config('statement_timeout', ${statement}, true)`
      return { result: await act(tx) }
    })
    return result
  } catch (error) {
    if (isInUse(error) || isOverdue(error)) return null
    throw error
  }
}

/** query_canceled, idle_in_transaction_session_timeout, transaction_timeout */
function isOverdue(error: unknown): boolean {
  return ['57014', '25P03', '25P04'].some((code) => hasClass(error, code))
}
